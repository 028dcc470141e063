import Engine
import Scheduling

/// Measures each sequence from its request's arrival to its end, and updates the metrics. Owned by the event loop.
struct RequestMetrics {
    private struct Timeline {
        /// The name of the request's key.
        var key: String
        var promptTokens: Int
        /// The number of them from the prefix cache.
        var cachedTokens = 0
        var arrival: ContinuousClock.Instant
        var admitted: ContinuousClock.Instant?
        var firstToken: ContinuousClock.Instant?
        var lastToken: ContinuousClock.Instant?
        var tokens = 0
    }

    private var timelines: [SequenceID: Timeline] = [:]

    mutating func add(_ requests: [GenerationRequest], key: String, arrival: ContinuousClock.Instant) {
        for request in requests {
            timelines[request.id] = Timeline(key: key, promptTokens: request.promptIDs.count, arrival: arrival)
        }
    }

    /// Updates the metrics with an event; returns the key of its request.
    mutating func record(_ event: TokenEvent, in metrics: inout Metrics, now: ContinuousClock.Instant) -> String? {
        guard var timeline = timelines[event.sequence] else { return nil }
        if let admitted = event.admitted {
            timeline.admitted = admitted
            timeline.cachedTokens = event.cachedTokens
            metrics.queueTime.observe(admitted - timeline.arrival)
        }
        for token in event.tokens {
            if let last = timeline.lastToken {
                metrics.interTokenLatency.observe(token.time - last)
            } else {
                timeline.firstToken = token.time
                metrics.timeToFirstToken.observe(token.time - timeline.arrival)
                if let admitted = timeline.admitted { metrics.prefillTime.observe(token.time - admitted) }
            }
            timeline.lastToken = token.time
            timeline.tokens += 1
        }
        if let finish = event.finish {
            timelines[event.sequence] = nil
            record(finish, of: timeline, preemptions: event.preemptions, in: &metrics, now: now)
        } else {
            timelines[event.sequence] = timeline
        }
        return timeline.key
    }

    private func record(
        _ finish: FinishReason, of timeline: Timeline, preemptions: Int, in metrics: inout Metrics,
        now: ContinuousClock.Instant
    ) {
        switch finish {
        case .stop: metrics.finished.add(label: "stop")
        case .length: metrics.finished.add(label: "length")
        case .abort, .deadlineExceeded: metrics.finished.add(label: "abort")
        case .error, .unsatisfiable, .grammarLimit: metrics.finished.add(label: "error")
        }
        let end = timeline.lastToken ?? now
        metrics.latency.observe(end - timeline.arrival)
        metrics.promptLength.observe(Double(timeline.promptTokens))
        metrics.computedPromptLength.observe(
            timeline.admitted == nil ? 0 : Double(timeline.promptTokens - timeline.cachedTokens))
        metrics.generationLength.observe(Double(timeline.tokens))
        metrics.preemptions.observe(Double(preemptions))
        if let admitted = timeline.admitted { metrics.inferenceTime.observe(end - admitted) }
        if let first = timeline.firstToken {
            metrics.decodeTime.observe(end - first)
            if timeline.tokens > 1 { metrics.timePerOutputToken.observe((end - first) / (timeline.tokens - 1)) }
        }
    }
}
