import Engine
import HTTP
import Scheduling

/// The replies that are being generated, by their exchange. Owned by the event loop.
struct ResponseRegistry {
    private struct Response {
        var stream: ResponseStream
        var sequences: [SequenceID]
        /// Whether the head of a streamed reply has been sent.
        var isStarted = false
        /// When the request arrived, or when bytes were last sent.
        var lastSign: ContinuousClock.Instant
        /// The memory charge of the stream's prompts.
        var charge: MemoryBudget.Reservation?
    }

    /// A sequence that has not ended in the engine.
    private struct Sequence {
        var exchange: ExchangeID
        /// The charge of the prompt, which the engine keeps as long as the sequence exists.
        var charge: MemoryBudget.Reservation?
    }

    private var responses: [ExchangeID: Response] = [:]
    /// The replies of sequences that have not ended in the engine. A reply may have been removed already, if the client has
    /// left.
    private var sequences: [SequenceID: Sequence] = [:]
    private var nextSequence: UInt64 = 1

    /// All exchanges with a reply.
    var all: [ExchangeID] { responses.keys.sorted { $0.rawValue < $1.rawValue } }

    /// Reserves `count` consecutive unused sequence ids and returns the first.
    mutating func takeSequenceIDs(_ count: Int) -> SequenceID {
        defer { nextSequence += UInt64(count) }
        return SequenceID(nextSequence)
    }

    /// - Parameter charge: the charge of the prompts. It is kept until the reply is complete or aborted, and the last of its
    ///   sequences has ended.
    mutating func add(
        _ stream: ResponseStream, _ exchange: ExchangeID, _ requests: [GenerationRequest],
        arrival: ContinuousClock.Instant, charge: MemoryBudget.Reservation? = nil
    ) {
        let ids = requests.map(\.id)
        responses[exchange] = Response(stream: stream, sequences: ids, lastSign: arrival, charge: charge)
        for id in ids { sequences[id] = Sequence(exchange: exchange, charge: charge) }
    }

    /// Removes a reply; returns its live sequences, which the engine must abort. O(its sequences).
    mutating func remove(_ exchange: ExchangeID) -> [SequenceID] {
        guard !responses.isEmpty, let response = responses.removeValue(forKey: exchange) else { return [] }
        return response.sequences.filter { sequences[$0] != nil }
    }

    /// Returns the exchange of an event. Removes the sequence after its last event.
    mutating func exchange(of event: TokenEvent) -> ExchangeID? {
        (event.finish == nil ? sequences[event.sequence] : sequences.removeValue(forKey: event.sequence))?.exchange
    }

    /// The charge of a reply's prompts.
    func charge(_ exchange: ExchangeID) -> MemoryBudget.Reservation? { responses[exchange]?.charge }

    /// Charges the memory of an event that the reply keeps until it is written.
    func charge(_ event: TokenEvent, of exchange: ExchangeID) throws(APIError) {
        guard let response = responses[exchange], let charge = response.charge else { return }
        try charge.charge(response.stream.state.memoryBytes(of: event))
    }

    func stream(_ exchange: ExchangeID) -> ResponseStream? { responses[exchange]?.stream }

    /// Changes a reply in place; `nil` if it no longer exists.
    mutating func update<Result>(_ exchange: ExchangeID, _ change: (inout ResponseStream) -> Result) -> Result? {
        guard let index = responses.index(forKey: exchange) else { return nil }
        return change(&responses.values[index].stream)
    }

    /// Records that bytes of a streamed reply are sent; true the first time.
    mutating func begin(_ exchange: ExchangeID, now: ContinuousClock.Instant) -> Bool {
        guard let index = responses.index(forKey: exchange) else { return false }
        responses.values[index].lastSign = now
        guard !responses.values[index].isStarted else { return false }
        responses.values[index].isStarted = true
        return true
    }

    /// Whether any reply is streamed.
    var hasStreams: Bool { responses.values.contains { $0.stream.isStreamed } }

    /// Streamed replies for which nothing was sent since `time`.
    func silent(since time: ContinuousClock.Instant) -> [ExchangeID] {
        responses.filter { $0.value.stream.isStreamed && $0.value.lastSign <= time }.map(\.key)
            .sorted { $0.rawValue < $1.rawValue }
    }
}
