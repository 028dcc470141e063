import Scheduling
import TestSupport
import Testing
import Tokenizers

@testable import Engine

/// The effect of draft tokens, and a request without them; `EngineDeterminismTests` checks that results are the same.
@Suite struct SpeculationTests {
    private static let loop: [Int32] = (0..<6).flatMap { _ in [41, 42, 43, 44, 45] }

    private func run(
        speculates: Bool, tokens: Int? = 8
    ) async throws -> (EngineHarness.Outcome, EngineStatistics) {
        let harness = EngineHarness(
            Fixtures.chatModel,
            tokenizer: try Tokenizer(contentsOf: Fixtures.chatModel.appending(path: "tokenizer.json"))
        ) { $0.speculativeTokens = tokens }
        _ = try await harness.ready()
        var request = GenerationRequest.test(1, Self.loop, maxTokens: 64, logprobs: 2, ignoresEndOfSequence: true)
        request.speculates = speculates
        // A loop without an exit.
        request.sampling.allowedTokenIDs = [41, 42]
        let (outcomes, statistics) = await harness.run([request])
        await harness.stop()
        return (try #require(outcomes.first), statistics)
    }

    @Test func `a loop takes fewer steps and generates the same tokens`() async throws {
        let (plain, plainStatistics) = try await run(speculates: true, tokens: nil)
        let (speculated, statistics) = try await run(speculates: true)
        #expect(speculated == plain && plain.ids.count == 64)
        #expect(plainStatistics.scheduler.drafts == 0)
        #expect(statistics.scheduler.acceptedDraftTokens > 20)
        // An accepted draft token saves a step; the last step may have one that is not counted.
        #expect(statistics.steps + statistics.scheduler.acceptedDraftTokens >= plainStatistics.steps - 1)
        #expect(statistics.steps < plainStatistics.steps * 2 / 3)
    }

    @Test func `a request can opt out`() async throws {
        let (_, statistics) = try await run(speculates: false)
        #expect(statistics.scheduler.drafts == 0)
    }
}
