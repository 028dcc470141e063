import HTTPTypes

/// A request head while it is parsed. It collects fields and, at the end, checks their combination.
struct PartialRequest {
    private let target: RequestTarget
    private let method: HTTPRequest.Method
    private let version: RequestHead.Version
    private let limits: WireLimits
    private var fields = HTTPFields()

    private var host: String?
    private var contentLength: Int?
    private var isChunked = false
    private var asksToClose = false
    private var asksToKeepAlive = false
    private var expectsContinue = false

    init(method: HTTPRequest.Method, target: RequestTarget, version: RequestHead.Version, limits: WireLimits) {
        self.method = method
        self.target = target
        self.version = version
        self.limits = limits
    }

    mutating func add(_ line: FieldLine) throws(WireError) {
        guard let name = HTTPField.Name(String(decoding: line.name, as: UTF8.self)) else { throw .malformedField }
        switch name.canonicalName {
        case "host":
            // Exactly one Host field is allowed (RFC 9112, 3.2). It becomes the request's authority.
            guard host == nil, RequestTarget.isValidAuthority(line.value) else { throw .malformedHost }
            host = String(decoding: line.value, as: UTF8.self)
            return
        case "content-length": try addContentLength(line.value)
        case "transfer-encoding": try addTransferEncoding(line.value)
        case "connection": addConnection(line.value)
        case "expect": try addExpect(line.value)
        default: break
        }
        fields.append(HTTPField(name: name, value: line.value))
    }

    /// Returns the head, if the fields are consistent (RFC 9112, 6.3).
    func finished() throws(WireError) -> RequestHead {
        if version == .http11, host == nil { throw .malformedHost }
        if isChunked, contentLength != nil { throw .conflictingFraming }
        // An HTTP/1.0 peer does not support transfer codings (RFC 9112, 6.1).
        if isChunked, version == .http10 { throw .conflictingFraming }
        if let contentLength, contentLength > limits.bodyBytes { throw .bodyTooLarge }
        return RequestHead(
            request: HTTPRequest(
                method: method, scheme: target.scheme ?? "http", authority: target.authority ?? host, path: target.path,
                headerFields: fields),
            version: version,
            framing: isChunked ? .chunked : .length(contentLength ?? 0),
            keepsAlive: !asksToClose && (version == .http11 || asksToKeepAlive),
            // HTTP/1.0 has no interim responses (RFC 9110, 10.1.1).
            expectsContinue: expectsContinue && version == .http11)
    }

    /// Reads Content-Length. Only one field with one number is accepted, although equal ones could be merged (RFC 9112, 6.3).
    private mutating func addContentLength(_ value: ArraySlice<UInt8>) throws(WireError) {
        guard !value.isEmpty, value.allSatisfy(\.isDigit) else { throw .malformedContentLength }
        guard contentLength == nil else { throw .conflictingFraming }
        contentLength = value.reduce(0) { length, digit in
            // Saturates, because a number that is too large for an Int is also too large for a body.
            let (product, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
            return overflow || carry ? Int.max : sum
        }
    }

    private mutating func addTransferEncoding(_ value: ArraySlice<UInt8>) throws(WireError) {
        for coding in value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            guard coding.trimmed.isEqualIgnoringCase("chunked") else { throw .unsupportedTransferCoding }
            // Chunked must not be applied twice (RFC 9112, 6.1).
            guard !isChunked else { throw .conflictingFraming }
            isChunked = true
        }
    }

    private mutating func addConnection(_ value: ArraySlice<UInt8>) {
        for option in value.split(separator: UInt8(ascii: ",")) {
            let option = option.trimmed
            if option.isEqualIgnoringCase("close") { asksToClose = true }
            if option.isEqualIgnoringCase("keep-alive") { asksToKeepAlive = true }
        }
    }

    private mutating func addExpect(_ value: ArraySlice<UInt8>) throws(WireError) {
        guard value.isEqualIgnoringCase("100-continue") else { throw .unsupportedExpectation }
        expectsContinue = true
    }
}
