import Engine
import HTTP
import Scheduling

/// Every reply that is being generated, and every choice that the engine still works on. Owned by the event loop.
///
/// A choice lives from `register` to its last event, which the engine sends exactly once; its reply may end earlier,
/// when the client leaves. *Places* bound what is accepted: a request takes one while it is prepared and one for each
/// choice from then on.
struct ActiveResponses {
    private struct Response {
        var stream: CompletionStream
        /// Whether the head of a streamed reply has been sent.
        var isStarted = false
        /// When it was accepted, or something was last sent.
        var lastSign: ContinuousClock.Instant
    }

    private struct Choice {
        var exchange: ExchangeID
        /// The name of the request's key.
        var key: String
        var promptTokens: Int
        /// Those of them that the cache had.
        var cachedTokens = 0
        /// Whether a sibling computes the prompt for it.
        var isSibling: Bool
        var priority: Int
        var arrival: ContinuousClock.Instant
        var admitted: ContinuousClock.Instant?
        var firstToken: ContinuousClock.Instant?
        var lastToken: ContinuousClock.Instant?
        var tokens = 0
    }

    /// Places that exist.
    let capacity: Int
    /// Those of them among the running sequences.
    private let runningPlaces: Int
    private let bounds: QueueBounds
    private(set) var preparing = 0
    private var choices: [SequenceID: Choice] = [:]
    private var responses: [ExchangeID: Response] = [:]
    private var nextSequence: UInt64 = 1

    /// - Parameters:
    ///   - running: sequences that run at once.
    ///   - waiting: sequences that may wait beside them.
    init(running: Int, waiting: Int, bounds: QueueBounds) {
        capacity = running + waiting
        runningPlaces = running
        self.bounds = bounds
    }

    var running: Int { choices.values.count { $0.admitted != nil } }
    var waiting: Int { preparing + choices.count - running }
    /// Nothing is being prepared or generated.
    var isIdle: Bool { preparing == 0 && choices.isEmpty }

    /// Takes a place for a request that is about to be prepared; false when there is none.
    mutating func reserve() -> Bool {
        guard preparing + choices.count < capacity else { return false }
        preparing += 1
        return true
    }

    /// Gives back the place of a request whose preparation is over.
    mutating func release() {
        precondition(preparing > 0, "a place is released once")
        preparing -= 1
    }

    /// What a request would exceed if it was accepted now; `nil`: nothing. O(choices).
    ///
    /// - Parameters:
    ///   - prompts: the lengths of its prompts, (prompts).
    ///   - remaining: what is left of its timeout.
    func exceededBound(
        _ prompts: [Int], _ options: GenerationOptions, within remaining: Duration?, _ statistics: SchedulerStatistics
    ) -> QueueBounds.Bound? {
        guard preparing + choices.count + prompts.count * options.candidates <= capacity else { return .places }
        let queued = load(aheadOf: .max, priority: .max).tokens
        if let limit = bounds.tokens, queued > 0, queued + prompts.reduce(0, +) > limit { return .tokens }
        let load = load(aheadOf: prompts.max() ?? 0, priority: options.priority)
        let longest = [bounds.wait, remaining].compactMap(\.self).min()
        if let longest, statistics.wait(behind: load, places: runningPlaces) > longest { return .wait }
        return nil
    }

    /// Seconds until about half of what waits has drained. O(choices).
    func retryAfter(_ statistics: SchedulerStatistics) -> Int {
        let wait = statistics.wait(behind: load(aheadOf: .max, priority: .max), places: runningPlaces)
        return Int((min(wait, .seconds(240)) / .seconds(2)).rounded(.up))
    }

    /// What waits for its first token and would come before a prompt of `promptTokens`. Shorter prompts do, and of a longer
    /// one, which it overtakes, at most as many tokens as it has itself.
    private func load(aheadOf promptTokens: Int, priority: Int) -> QueueLoad {
        var load = QueueLoad()
        for choice in choices.values where choice.firstToken == nil && choice.priority <= priority {
            if !choice.isSibling { load.tokens += min(choice.promptTokens, promptTokens) }
            if choice.admitted == nil { load.sequences += 1 }
        }
        return load
    }

    /// The first of `count` consecutive ids that no sequence has had.
    mutating func takeSequenceIDs(_ count: Int) -> SequenceID {
        defer { nextSequence += UInt64(count) }
        return SequenceID(nextSequence)
    }

    mutating func register(
        _ stream: CompletionStream, _ exchange: ExchangeID, _ requests: [GenerationRequest],
        key: String = RateLimiter.nobody, arrival: ContinuousClock.Instant
    ) {
        responses[exchange] = Response(stream: stream, lastSign: arrival)
        for request in requests {
            choices[request.id] = Choice(
                exchange: exchange, key: key, promptTokens: request.promptIDs.count,
                isSibling: request.sampling.choice > 0, priority: request.priority, arrival: arrival)
        }
    }

    /// Forgets a reply; returns its choices that still live, for the engine to abort.
    mutating func remove(_ exchange: ExchangeID) -> [SequenceID] {
        guard responses.removeValue(forKey: exchange) != nil else { return [] }
        return choices.filter { $0.value.exchange == exchange }.map(\.key).sorted()
    }

    func stream(_ exchange: ExchangeID) -> CompletionStream? {
        responses[exchange]?.stream
    }

    /// Changes a reply in place; `nil`: there is no such reply any more.
    mutating func update<Result>(_ exchange: ExchangeID, _ change: (inout CompletionStream) -> Result) -> Result? {
        guard let index = responses.index(forKey: exchange) else { return nil }
        return change(&responses.values[index].stream)
    }

    /// Notes that something of a streamed reply goes out; true the first time.
    mutating func begin(_ exchange: ExchangeID, now: ContinuousClock.Instant) -> Bool {
        guard let index = responses.index(forKey: exchange) else { return false }
        responses.values[index].lastSign = now
        guard !responses.values[index].isStarted else { return false }
        responses.values[index].isStarted = true
        return true
    }

    /// Whether any reply is streamed.
    var hasStreams: Bool { responses.values.contains { $0.stream.options.streaming != nil } }

    /// Streamed replies of which nothing was heard since `time`.
    func silent(since time: ContinuousClock.Instant) -> [ExchangeID] {
        responses.filter { $0.value.stream.options.streaming != nil && $0.value.lastSign <= time }.map(\.key)
    }

    /// Every reply, for when all must be told the same.
    var exchanges: [ExchangeID] { Array(responses.keys) }

    /// Counts what `event` says of its choice; returns the exchange and the key that the choice belongs to.
    mutating func record(
        _ event: TokenEvent, in metrics: inout Metrics, now: ContinuousClock.Instant
    ) -> (exchange: ExchangeID, key: String)? {
        guard var choice = choices[event.sequence] else { return nil }
        if let admitted = event.admitted {
            choice.admitted = admitted
            choice.cachedTokens = event.cachedTokens
            metrics.queueTime.observe(admitted - choice.arrival)
        }
        for token in event.tokens {
            if let last = choice.lastToken {
                metrics.interTokenLatency.observe(token.time - last)
            } else {
                choice.firstToken = token.time
                metrics.timeToFirstToken.observe(token.time - choice.arrival)
                if let admitted = choice.admitted { metrics.prefillTime.observe(token.time - admitted) }
            }
            choice.lastToken = token.time
            choice.tokens += 1
        }
        if let finish = event.finish {
            choices[event.sequence] = nil
            record(finish, of: choice, preemptions: event.preemptions, in: &metrics, now: now)
        } else {
            choices[event.sequence] = choice
        }
        return (choice.exchange, choice.key)
    }

    private func record(
        _ finish: FinishReason, of choice: Choice, preemptions: Int, in metrics: inout Metrics,
        now: ContinuousClock.Instant
    ) {
        switch finish {
        case .stop: metrics.finished.add(label: "stop")
        case .length: metrics.finished.add(label: "length")
        case .abort, .deadlineExceeded: metrics.finished.add(label: "abort")
        case .error, .unsatisfiable, .grammarLimit: metrics.finished.add(label: "error")
        }
        let end = choice.lastToken ?? now
        metrics.latency.observe(end - choice.arrival)
        metrics.promptLength.observe(Double(choice.promptTokens))
        metrics.computedPromptLength.observe(
            choice.admitted == nil ? 0 : Double(choice.promptTokens - choice.cachedTokens))
        metrics.generationLength.observe(Double(choice.tokens))
        metrics.preemptions.observe(Double(preemptions))
        if let admitted = choice.admitted { metrics.inferenceTime.observe(end - admitted) }
        if let first = choice.firstToken {
            metrics.decodeTime.observe(end - first)
            if choice.tokens > 1 { metrics.timePerOutputToken.observe((end - first) / (choice.tokens - 1)) }
        }
    }
}
