import Engine
import HTTP
import Scheduling
import Testing
import Text

@testable import Server

/// Which request is refused for what waits already, and when it is told to come back.
@Suite struct ActiveResponsesTests: StreamSamples {
    /// What an engine reports that computes 100 prompt tokens and ends half a sequence a second, from 2 s on.
    private func statistics(running: Int, waiting: Int) -> SchedulerStatistics {
        var statistics = SchedulerStatistics()
        statistics.running = running
        statistics.waiting = waiting
        statistics.prefillRate = 100
        statistics.expectedEnds = (0..<running).map { Double($0 + 1) * 2 }
        statistics.expectedRun = Double(running) * 2
        return statistics
    }

    /// Replies to requests that wait, one for each prompt length.
    private func active(
        _ prompts: [Int], running: Int = 4, waiting: Int = 8, bounds: QueueBounds = QueueBounds(), priority: Int = 0,
        choices: Int = 1
    ) throws -> ActiveResponses {
        var active = ActiveResponses(running: running, waiting: waiting, bounds: bounds)
        for (index, tokens) in prompts.enumerated() {
            let requests = (0..<choices).map { choice in
                var sampling = SamplingParameters()
                sampling.choice = choice
                var request = GenerationRequest(
                    id: SequenceID(UInt64(index * choices + choice)),
                    promptIDs: Array(repeating: 1, count: tokens), sampling: sampling, stop: StopConditions(),
                    maxTokens: 10)
                request.priority = priority
                return request
            }
            active.register(
                try makeStream(.completions, [:]), ExchangeID(UInt64(index)), requests, arrival: .now)
        }
        return active
    }

    private func bound(
        _ active: ActiveResponses, _ prompts: [Int], choices: Int = 1, priority: Int = 0, within: Duration? = nil,
        _ statistics: SchedulerStatistics
    ) throws -> QueueBounds.Bound? {
        let body: JSONValue = ["prompt": [1], "n": .integer(choices), "priority": .integer(priority)]
        let options = try CompletionRequest(body, for: .sample).options
        return active.exceededBound(prompts, options, within: within, statistics)
    }

    @Test func `places are counted by sequence`() throws {
        let active = try active([1, 1, 1], running: 2, waiting: 3)
        let statistics = statistics(running: 2, waiting: 1)
        #expect(try bound(active, [1, 1], statistics) == nil)
        #expect(try bound(active, [1], choices: 3, statistics) == .places)
    }

    @Test func `tokens are counted by prompt, and an empty queue takes any`() throws {
        let bounds = QueueBounds(tokens: 100)
        let statistics = statistics(running: 0, waiting: 0)
        #expect(try bound(active([], bounds: bounds), [500], statistics) == nil)
        #expect(try bound(active([40, 20], bounds: bounds), [40], statistics) == nil)
        #expect(try bound(active([40, 20], bounds: bounds), [41], statistics) == .tokens)
        // Siblings share their prompt.
        #expect(try bound(active([60], bounds: bounds, choices: 3), [40], statistics) == nil)
        #expect(try bound(active([60], bounds: QueueBounds(), choices: 3), [4000], statistics) == nil)
    }

    @Test func `the wait counts shorter prompts whole and of longer ones no more than the request has itself`() throws {
        let active = try active([1000, 300], running: 100, waiting: 100, bounds: QueueBounds(wait: .seconds(5)))
        let idle = statistics(running: 0, waiting: 0)
        #expect(try bound(active, [200], idle) == nil)
        #expect(try bound(active, [260], idle) == .wait)
        #expect(try bound(active, [200], within: .seconds(3), idle) == .wait)
        var unknown = idle
        unknown.prefillRate = nil
        #expect(try bound(active, [260], unknown) == nil)
    }

    @Test func `the wait counts those for whom no place is free`() throws {
        let active = try active([1, 1, 1, 1], bounds: QueueBounds(wait: .seconds(5)))
        // Four come before it, three of them find places: two ends, at half a second each, take four seconds.
        #expect(try bound(active, [1], statistics(running: 1, waiting: 0)) == nil)
        #expect(try bound(active, [1], statistics(running: 2, waiting: 0)) == .wait)
        #expect(try bound(active, [1], statistics(running: 1, waiting: 1)) == .wait)
    }

    @Test func `only those that come before it hold up a request`() throws {
        let active = try active([1000], bounds: QueueBounds(wait: .seconds(5)), priority: 1)
        let statistics = statistics(running: 0, waiting: 0)
        #expect(try bound(active, [1000], priority: 0, statistics) == nil)
        #expect(try bound(active, [1000], priority: 1, statistics) == .wait)
    }

    @Test func `a refused request comes back when half of the queue has drained`() throws {
        let statistics = statistics(running: 4, waiting: 3)
        #expect(try active([1000, 2000]).retryAfter(statistics) == 15)
        #expect(try active(Array(repeating: 1, count: 7)).retryAfter(statistics) == 8)
        #expect(try active([1_000_000]).retryAfter(statistics) == 120)
        #expect(try active([1000]).retryAfter(SchedulerStatistics()) == 0)
    }

    @Test func `who has a first token waits no longer`() throws {
        var active = try active([1000], bounds: QueueBounds(tokens: 1))
        var metrics = Metrics(maxModelLength: 100)
        let statistics = statistics(running: 1, waiting: 0)
        #expect(try bound(active, [1], statistics) == .tokens)
        var event = TokenEvent(sequence: SequenceID(0))
        event.admitted = .now
        event.tokens = [GeneratedToken(id: 1, logprobs: nil, time: .now)]
        _ = active.record(event, in: &metrics, now: .now)
        #expect(try bound(active, [1], statistics) == nil)
    }
}
