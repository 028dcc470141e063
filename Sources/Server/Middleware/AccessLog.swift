import Basics
import HTTP
import HTTPTypes
import Logging

/// Logs one line per request when its exchange ends. The line never contains the request's content.
struct AccessLog {
    private struct Entry {
        var level: Logger.Level
        var method: String
        var path: String
        var peer: String
        var requestID: String
        var start: ContinuousClock.Instant
        var status: Int?
        /// Why the request was refused, or its stream ended.
        var error: APIError?
        /// The name of its key.
        var key: String?
        var trace: TraceParent?
        /// The number of prompt tokens of a generation request; otherwise `nil`.
        var promptTokens: Int?
        var generatedTokens = 0
        var firstToken: ContinuousClock.Instant?
    }

    private let logger: Logger
    private let clock = ContinuousClock()
    private var entries: [ExchangeID: Entry] = [:]

    init(logger: Logger) {
        self.logger = logger
    }

    /// - Parameter isProbe: probes and scrapes are frequent and are logged at a lower level.
    mutating func begin(
        _ exchange: ExchangeID, _ message: HTTPMessage, path: String, isProbe: Bool, requestID: RequestID
    ) {
        let level = isProbe ? Logger.Level.debug : .info
        guard level >= logger.logLevel else { return }
        entries[exchange] = Entry(
            level: level, method: message.head.method.rawValue, path: path, peer: message.peer,
            requestID: requestID.description,
            start: clock.now, trace: TraceParent(message.head.headerFields))
    }

    mutating func admitted(_ exchange: ExchangeID, key: String) {
        entries[exchange]?.key = key
    }

    mutating func accepted(_ exchange: ExchangeID, promptTokens: Int) {
        entries[exchange]?.promptTokens = promptTokens
    }

    /// - Parameter time: the time of the first of these tokens.
    mutating func generated(_ exchange: ExchangeID, tokens: Int, at time: ContinuousClock.Instant?) {
        guard let index = entries.index(forKey: exchange) else { return }
        entries.values[index].generatedTokens += tokens
        if entries.values[index].firstToken == nil { entries.values[index].firstToken = time }
    }

    mutating func answered(_ exchange: ExchangeID, status: HTTPResponse.Status) {
        guard let index = entries.index(forKey: exchange) else { return }
        entries.values[index].status = status.code
    }

    mutating func failed(_ exchange: ExchangeID, _ error: APIError) {
        entries[exchange]?.error = error
    }

    mutating func end(_ exchange: ExchangeID, _ outcome: ExchangeOutcome) {
        guard !entries.isEmpty, let entry = entries.removeValue(forKey: exchange) else { return }
        var metadata: Logger.Metadata = [
            "status": "\(entry.status.map(String.init) ?? "none")", "outcome": "\(outcome.rawValue)",
            "milliseconds": "\(Int((clock.now - entry.start) / .milliseconds(1)))", "peer": "\(entry.peer)",
            "request_id": "\(entry.requestID)",
        ]
        if let trace = entry.trace {
            metadata["trace_id"] = "\(trace.traceID)"
            metadata["parent_id"] = "\(trace.parentID)"
        }
        if let key = entry.key { metadata["key"] = "\(key)" }
        if let error = entry.error {
            metadata["error"] = "\(error.code ?? error.type)"
            // Unlike the message, it has no values of the request.
            metadata["param"] = error.param.map { "\($0.printable(atMost: 80))" }
        }
        if let promptTokens = entry.promptTokens {
            metadata["prompt_tokens"] = "\(promptTokens)"
            metadata["completion_tokens"] = "\(entry.generatedTokens)"
        }
        if let first = entry.firstToken {
            metadata["first_token_milliseconds"] = "\(Int((first - entry.start) / .milliseconds(1)))"
        }
        logger.log(level: entry.level, "\(entry.method) \(entry.path)", metadata: metadata)
    }
}
