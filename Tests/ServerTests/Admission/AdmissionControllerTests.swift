import Engine
import Scheduling
import Testing

@testable import Server

/// Which requests are refused because of the queue, and the time after which they may be retried.
@Suite struct AdmissionControllerTests {
    /// The statistics of an engine that computes 100 prompt tokens per second.
    private func statistics(running: Int, waiting: Int) -> SchedulerStatistics {
        var statistics = SchedulerStatistics()
        statistics.running = running
        statistics.waiting = waiting
        statistics.prefillRate = 100
        return statistics
    }

    private func requests(
        _ prompts: [Int], from first: Int, choices: Int = 1, priority: Int = 0, tenant: String = ""
    ) -> [GenerationRequest] {
        prompts.enumerated().flatMap { index, tokens in
            (0..<choices).map { choice in
                var sampling = SamplingParameters()
                sampling.choice = choice
                var request = GenerationRequest(
                    id: SequenceID(UInt64(first + index * choices + choice)),
                    promptIDs: Array(repeating: 1, count: tokens), sampling: sampling, stop: StopConditions(),
                    maxTokens: 10)
                request.priority = priority
                request.tenant = tenant
                return request
            }
        }
    }

    /// A controller with one accepted request for each prompt length.
    private func controller(
        _ prompts: [Int], running: Int = 4, waiting: Int = 8, bounds: QueueBounds = QueueBounds(), priority: Int = 0,
        choices: Int = 1, tenant: String = ""
    ) -> AdmissionController {
        var controller = AdmissionController(running: running, waiting: waiting, bounds: bounds)
        controller.add(requests(prompts, from: 0, choices: choices, priority: priority, tenant: tenant))
        return controller
    }

    private func refusal(
        _ controller: AdmissionController, _ prompts: [Int], choices: Int = 1, priority: Int = 0,
        within: Duration? = nil, tenant: String = "", _ statistics: SchedulerStatistics
    ) -> AdmissionController.Refusal? {
        controller.refusal(
            of: tenant, prompts: prompts, choices: choices, priority: priority, within: within, statistics)
    }

    @Test func `permits are counted by sequence`() {
        let controller = controller([1, 1, 1], running: 2, waiting: 3)
        let statistics = statistics(running: 2, waiting: 1)
        #expect(refusal(controller, [1, 1], statistics) == nil)
        #expect(refusal(controller, [1], choices: 3, statistics) == .permits)
    }

    @Test func `tokens are counted by prompt, and an empty queue accepts any number`() {
        let bounds = QueueBounds(tokens: 100)
        let statistics = statistics(running: 0, waiting: 0)
        #expect(refusal(controller([], bounds: bounds), [500], statistics) == nil)
        #expect(refusal(controller([40, 20], bounds: bounds), [40], statistics) == nil)
        #expect(refusal(controller([40, 20], bounds: bounds), [41], statistics) == .tokens)
        // Siblings share their prompt.
        #expect(refusal(controller([60], bounds: bounds, choices: 3), [40], statistics) == nil)
        #expect(refusal(controller([60], bounds: QueueBounds(), choices: 3), [4000], statistics) == nil)
    }

    @Test func `the wait counts all tokens of shorter prompts, and of longer ones at most as many as the request has`()
    {
        let controller = controller([1000, 300], running: 100, waiting: 100, bounds: QueueBounds(wait: .seconds(5)))
        let idle = statistics(running: 0, waiting: 0)
        #expect(refusal(controller, [200], idle) == nil)
        #expect(refusal(controller, [260], idle) == .wait)
        #expect(refusal(controller, [200], within: .seconds(3), idle) == .wait)
        var unknown = idle
        unknown.prefillRate = nil
        #expect(refusal(controller, [260], unknown) == nil)
    }

    @Test func `only requests that are served before it delay a request`() {
        let controller = controller([1000], bounds: QueueBounds(wait: .seconds(5)), priority: 1)
        let statistics = statistics(running: 0, waiting: 0)
        #expect(refusal(controller, [1000], priority: 0, statistics) == nil)
        #expect(refusal(controller, [1000], priority: 1, statistics) == .wait)
    }

    @Test func `the queue of another key delays a request at most as long as its own`() {
        let bounds = QueueBounds(wait: .seconds(5))
        let controller = controller([400, 400, 400], running: 100, waiting: 100, bounds: bounds, tenant: "ann")
        let idle = statistics(running: 0, waiting: 0)
        #expect(refusal(controller, [400], tenant: "ann", idle) == .wait)
        #expect(refusal(controller, [400], tenant: "bob", idle) == nil)
    }

    @Test func `a sequence with a first token no longer waits`() {
        var controller = controller([1000], bounds: QueueBounds(tokens: 1))
        let statistics = statistics(running: 1, waiting: 0)
        #expect(refusal(controller, [1], statistics) == .tokens)
        var event = TokenEvent(sequence: SequenceID(0))
        event.admitted = .now
        event.tokens = [GeneratedToken(id: 1, logprobs: nil, time: .now)]
        controller.record(event)
        #expect(refusal(controller, [1], statistics) == nil)
        #expect(controller.running == 1 && controller.waiting == 0)
    }

    @Test func `one key gets three quarters of the permits, and another one later finds some`() {
        var controller = AdmissionController(running: 4, waiting: 12, bounds: QueueBounds())
        var taken = 0
        while controller.beginPreparation(of: "ann") == nil { taken += 1 }
        #expect(taken == 12)
        #expect(controller.beginPreparation(of: "ann") == .share)
        #expect(controller.largestRequest(of: "ann") == 12)
        #expect(controller.largestRequest(of: "") == 16)
        var others = 0
        while controller.beginPreparation(of: "bob") == nil { others += 1 }
        #expect(others == 3)
        // Even then a third one is accepted.
        #expect(controller.beginPreparation(of: "cleo") == nil)
        #expect(controller.beginPreparation(of: "dora") == .permits)
        for _ in 0..<taken { controller.endPreparation(of: "ann") }
        #expect(controller.permits == ["bob": 3, "cleo": 1])
    }

    @Test func `without keys one client may take all permits`() {
        var controller = AdmissionController(running: 1, waiting: 3, bounds: QueueBounds())
        for _ in 0..<4 { #expect(controller.beginPreparation(of: "") == nil) }
        #expect(controller.beginPreparation(of: "") == .permits)
    }

    @Test func `queued tokens are shared between keys like permits`() {
        let bounds = QueueBounds(tokens: 1000)
        let controller = controller([300, 300], running: 100, waiting: 100, bounds: bounds, tenant: "ann")
        let statistics = statistics(running: 0, waiting: 0)
        #expect(refusal(controller, [150], tenant: "ann", statistics) == nil)
        #expect(refusal(controller, [151], tenant: "ann", statistics) == .share)
        #expect(refusal(controller, [100, 200], tenant: "bob", statistics) == nil)
        #expect(refusal(controller, [100, 201], tenant: "bob", statistics) == .share)
        #expect(refusal(controller, [200, 201], tenant: "bob", statistics) == .tokens)
    }

    @Test func `one prompt of a key without queued tokens is accepted, whatever its length`() {
        let bounds = QueueBounds(tokens: 1000)
        var controller = controller([300, 300, 400], running: 100, waiting: 100, bounds: bounds, tenant: "ann")
        let statistics = statistics(running: 0, waiting: 0)
        #expect(refusal(controller, [5000], tenant: "bob", statistics) == nil)
        #expect(refusal(controller, [1], tenant: "ann", statistics) == .tokens)
        controller.add(requests([5000], from: 10, tenant: "bob"))
        #expect(refusal(controller, [1], tenant: "bob", statistics) == .tokens)
        #expect(refusal(controller, [900], tenant: "cleo", statistics) == nil)
        // A batch must fit the share, otherwise the size of one request would be unlimited.
        #expect(refusal(controller, [1, 1], tenant: "cleo", statistics) == .tokens)
        let idle = self.controller([], bounds: bounds)
        #expect(refusal(idle, [375, 375], tenant: "ann", statistics) == nil)
        #expect(refusal(idle, [375, 376], tenant: "ann", statistics) == .share)
        #expect(idle.largestBatch(of: "ann") == 750 && idle.largestBatch(of: "") == nil)
    }

    @Test func `permits are returned once, for any order of events`() {
        var controller = controller([10, 10], choices: 2, tenant: "ann")
        #expect(controller.waiting == 4 && controller.permits == ["ann": 4])
        for id in 0..<4 {
            var event = TokenEvent(sequence: SequenceID(UInt64(id)))
            if id % 2 == 0 { event.admitted = .now }
            event.finish = id == 3 ? .abort : .length
            controller.record(event)
            controller.record(event)
        }
        #expect(controller.isIdle && controller.permits.isEmpty && controller.running == 0)
    }
}
