import Engine
import JSON

/// Writes the responses of one API, whole or as the events of a stream.
protocol ResponseFormatter: Sendable {
    /// The approximate memory in bytes that it keeps of the request.
    var memoryBytes: Int { get }
    /// Whether the end of a stream repeats the output, so that the text must be kept.
    var repeatsOutput: Bool { get }
    /// Whether it lists the log-probabilities of each text separately, so that the tokens of each text must be found.
    var listsTextTokens: Bool { get }
    /// The whole response.
    func body(of response: ResponseState) -> JSONValue
    /// Appends the events that a stream sends for an update of the response.
    mutating func write(_ update: ResponseUpdate, of response: ResponseState, to output: inout [UInt8])
    /// Appends the events that end a stream with an error after it has begun.
    mutating func fail(_ error: APIError, _ response: ResponseState, to output: inout [UInt8])
}

extension ResponseFormatter {
    var memoryBytes: Int { 0 }
    var repeatsOutput: Bool { false }
    var listsTextTokens: Bool { false }
}

/// An event of one choice of a response. The ``ResponseState`` has applied it already.
struct ResponseUpdate: Sendable {
    /// The number of the choice in ``ResponseState/choices``.
    var choice: Int
    /// The engine's event: tokens, finish reason, progress of the prompt.
    var event: TokenEvent
    /// The resulting changes of the choice's items.
    var changes: [OutputChange]
    /// Whether it is the choice's first event with output.
    var isFirst: Bool
}
