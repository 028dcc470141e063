import Engine
import JSON

/// The times of the phases of a request, over all its choices.
struct ReplyTimings: Sendable {
    private let arrival: ContinuousClock.Instant
    private var admitted: ContinuousClock.Instant?
    private var firstToken: ContinuousClock.Instant?
    private var lastToken: ContinuousClock.Instant?
    /// The number of choices that have a token.
    private var begun = 0

    init(arrival: ContinuousClock.Instant) {
        self.arrival = arrival
    }

    /// - Parameter isFirst: whether the event has its choice's first token.
    mutating func add(_ event: TokenEvent, isFirst: Bool) {
        if let time = event.admitted { admitted = min(admitted ?? time, time) }
        guard let first = event.tokens.first, let last = event.tokens.last else { return }
        if isFirst { begun += 1 }
        firstToken = min(firstToken ?? first.time, first.time)
        lastToken = max(lastToken ?? last.time, last.time)
    }

    /// The timings under llama.cpp's names, and the queue time. A rate is null if it was not measured.
    func json(_ usage: Usage) -> JSONValue {
        let queue = (admitted ?? arrival) - arrival
        let prompt = firstToken.map { $0 - (admitted ?? arrival) } ?? .zero
        let generation = lastToken.map { $0 - (firstToken ?? $0) } ?? .zero
        let computed = usage.promptTokens - usage.cachedTokens
        // The first token of each choice results from the prompt.
        let following = max(usage.completionTokens - begun, 0)
        return [
            "queue_ms": .double(queue.milliseconds), "cache_n": .integer(usage.cachedTokens),
            "prompt_n": .integer(computed), "prompt_ms": .double(prompt.milliseconds),
            "prompt_per_second": rate(computed, prompt), "predicted_n": .integer(usage.completionTokens),
            "predicted_ms": .double(generation.milliseconds), "predicted_per_second": rate(following, generation),
            "predicted_per_token_ms": following > 0
                ? .double(generation.milliseconds / Double(following)) : .null,
        ]
    }

    private func rate(_ count: Int, _ time: Duration) -> JSONValue {
        count > 0 && time.milliseconds > 0 ? .double(Double(count) * 1000 / time.milliseconds) : .null
    }
}

extension Duration {
    /// The duration in milliseconds, rounded to microseconds.
    fileprivate var milliseconds: Double { (self / .microseconds(1)).rounded() / 1000 }
}
