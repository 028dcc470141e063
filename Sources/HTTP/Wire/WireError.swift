import HTTPTypes

/// Why a request was refused before it reached the service. Each case has an HTTP status.
public enum WireError: Error, Sendable, Hashable, CaseIterable {
    // Lines and characters.
    case bareLineFeed
    case bareCarriageReturn
    case forbiddenByte
    // The request line.
    case malformedRequestLine
    case malformedTarget
    case unsupportedVersion
    case http2Preface
    case unsupportedMethod
    case requestLineTooLong
    // Header fields.
    case malformedField
    case foldedField
    case headerTooLarge
    case malformedHost
    case unsupportedExpectation
    // Framing.
    case malformedContentLength
    case conflictingFraming
    case unsupportedTransferCoding
    case malformedChunk
    case bodyTooLarge
    // Not caused by the peer, or not by the bytes that it sent.
    case timedOut
    case overloaded
    case bodyMemoryExhausted

    /// The status of the reply.
    public var status: HTTPResponse.Status {
        switch self {
        case .bareLineFeed, .bareCarriageReturn, .forbiddenByte, .malformedRequestLine, .malformedTarget,
            .malformedField,
            .foldedField, .malformedHost, .malformedContentLength, .conflictingFraming, .malformedChunk:
            .badRequest
        case .timedOut: .requestTimeout
        case .bodyTooLarge: .contentTooLarge
        case .requestLineTooLong: .uriTooLong
        case .unsupportedExpectation: .expectationFailed
        case .headerTooLarge: .requestHeaderFieldsTooLarge
        case .unsupportedMethod, .unsupportedTransferCoding: .notImplemented
        case .overloaded, .bodyMemoryExhausted: .serviceUnavailable
        case .unsupportedVersion, .http2Preface: .httpVersionNotSupported
        }
    }

    /// A sentence for the client.
    public var reason: String {
        switch self {
        case .bareLineFeed: "A line must end with CR LF, not with LF alone."
        case .bareCarriageReturn: "A CR must be followed by LF."
        case .forbiddenByte: "The request head contains a control character."
        case .malformedRequestLine: "The request line is not 'method target version'."
        case .malformedTarget: "The request target is not valid."
        case .unsupportedVersion: "Only HTTP/1.0 and HTTP/1.1 are supported."
        case .http2Preface:
            "The client begins with HTTP/2, but only HTTP/1.0 and HTTP/1.1 are supported. Set the client to HTTP/1.1."
        case .unsupportedMethod: "CONNECT is not supported."
        case .requestLineTooLong: "The request line is too long."
        case .malformedField: "A header field is not 'name: value'."
        case .foldedField: "A header field must not be folded over several lines."
        case .headerTooLarge: "The header is too large or has too many fields."
        case .malformedHost: "The request must have exactly one valid Host field."
        case .unsupportedExpectation: "The only supported expectation is 100-continue."
        case .malformedContentLength: "Content-Length must be one decimal number."
        case .conflictingFraming: "The fields that give the body's length contradict each other."
        case .unsupportedTransferCoding: "The only supported transfer coding is chunked."
        case .malformedChunk: "The chunked body is malformed."
        case .bodyTooLarge: "The request body is too large."
        case .timedOut: "The request took too long to arrive, or arrived too slowly."
        case .overloaded: "The server has too many open connections."
        case .bodyMemoryExhausted: "The server has no memory left for request bodies. Try again later."
        }
    }
}
