import Foundation
import TestSupport
import Testing

@testable import Engine

/// Several batches in flight in an engine with several ranks.
@Suite struct BatchesInFlightTests {
    @Test(arguments: [(2, 1), (2, 2), (2, 4), (4, 1), (4, 2), (4, 4)])
    func `as many batches are in flight as may be, and results are the same`(ranks: Int, batches: Int) async throws {
        let model = try ModelCase("a_base")
        try #require(model.config.layers >= ranks)
        let requests = (1...8).map { id in
            GenerationRequest.test(
                UInt64(id), (0..<id * 5).map { Int32($0 * 7 % 200) }, maxTokens: 12, logprobs: 2,
                ignoresEndOfSequence: true)
        }
        let alone = EngineHarness(model.directory)
        _ = try await alone.ready()
        let expected = await alone.run(requests).0
        await alone.stop()

        let harness = EngineHarness(model.directory, ranks: ranks) { $0.batchesInFlight = batches }
        _ = try await harness.ready()
        let begin = ContinuousClock.now
        let (outcomes, statistics) = await harness.run(requests)
        let elapsed = ContinuousClock.now - begin
        await harness.stop()
        #expect(outcomes == expected)
        #expect(statistics.mostBatchesInFlight == batches)
        // The time of batches that wait at the same time is not counted for each.
        let phases = statistics.phases
        #expect(phases.forward > .zero && phases.schedule + phases.forward + phases.sample < elapsed)
    }

    @Test func `the first prompt is divided so that two ranks compute it, and its result is the same`() async throws {
        let model = try ModelCase("a_base")
        let request = GenerationRequest.test(1, (0..<256).map { Int32($0 * 7 % 200) }, maxTokens: 1, logprobs: 2)
        let alone = EngineHarness(model.directory) { $0.maxBatchedTokens = 256 }
        _ = try await alone.ready()
        let (expected, single) = await alone.run([request])
        await alone.stop()
        #expect(single.steps == 1)

        let harness = EngineHarness(model.directory, ranks: 2) { $0.maxBatchedTokens = 256 }
        _ = try await harness.ready()
        let (outcomes, statistics) = await harness.run([request])
        await harness.stop()
        #expect(outcomes == expected)
        #expect(statistics.steps > 1 && statistics.mostBatchesInFlight == 2)
    }
}
