import Engine
import JSON

/// How one API writes a response: whole, or as the events of a stream. Each API has one.
protocol ResponseFormatter: Sendable {
    /// Bytes of memory that it keeps of the request, about.
    var memoryBytes: Int { get }
    /// Whether the end of a stream repeats what it has said, so that the text has to be kept.
    var repeatsOutput: Bool { get }
    /// Whether it tells the log-probabilities of each text apart, so that its tokens have to be found.
    var listsTextTokens: Bool { get }
    /// The whole response.
    func body(of response: ResponseState) -> JSONValue
    /// Appends the events that a stream sends for an update of the response.
    mutating func write(_ update: ResponseUpdate, of response: ResponseState, to output: inout [UInt8])
    /// Appends the events that end a stream that has begun and cannot go on.
    mutating func fail(_ error: APIError, _ response: ResponseState, to output: inout [UInt8])
}

extension ResponseFormatter {
    var memoryBytes: Int { 0 }
    var repeatsOutput: Bool { false }
    var listsTextTokens: Bool { false }
}

/// What happened to one choice of a response. The ``ResponseState`` has taken it already.
struct ResponseUpdate: Sendable {
    /// The number of the choice in ``ResponseState/choices``.
    var choice: Int
    /// What the engine reported: tokens, finish reason, progress of the prompt.
    var event: TokenEvent
    /// What that did to the choice's items.
    var changes: [OutputChange]
    /// Whether it is the choice's first with output.
    var isFirst: Bool
}
