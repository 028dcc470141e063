import Foundation
import TestSupport
import Testing

@testable import Engine

/// What happens when ranks do not fit together, or one is gone.
@Suite struct RankFailureTests {
    private static let model = Fixtures.root.appending(path: "model/a_base")

    private static func requests(tokens: Int) -> [GenerationRequest] {
        (1...3).map { .test(UInt64($0), [1, 2, 3], maxTokens: tokens, ignoresEndOfSequence: true) }
    }

    @Test(arguments: [1, 2])
    func `a rank that is gone while sequences run ends each with an error`(rank: Int) async throws {
        let harness = EngineHarness(Self.model, ranks: 3)
        _ = try await harness.ready()
        let ranks = try #require(harness.ranks)
        // Long enough to be running still when the rank is lost.
        let running = Task { await harness.run(Self.requests(tokens: 1900)) }
        while harness.engine.currentStep == nil { try await Task.sleep(for: .milliseconds(1)) }
        let begin = ContinuousClock.now
        ranks.lose(rank: rank)
        let (outcomes, statistics) = await running.value
        // Tests/Clients/Ranks checks the 5 s of docs/scaling.md, between processes. Here many tests share the CPUs.
        #expect(ContinuousClock.now - begin < .seconds(60))
        let reason = RankFailure.lost(rank: rank)
        #expect(outcomes.map(\.finish) == Array(repeating: .error(reason.description), count: 3))
        #expect(statistics.holdsNothing)
        #expect(await harness.failure() == reason)
        #expect(reason.exitCode == 70)
        #expect(!harness.engine.submit(Self.requests(tokens: 1)))
    }

    @Test func `a rank that is gone while nothing runs ends the engine`() async throws {
        let harness = EngineHarness(Self.model, ranks: 2)
        _ = try await harness.ready()
        // The ranks sleep now.
        try await Task.sleep(for: RankRing.restDelay * 3)
        harness.ranks?.lose(rank: 1)
        #expect(await harness.failure() == .lost(rank: 1))
    }

    @Test func `ranks that sleep wake for the next request`() async throws {
        let harness = EngineHarness(Self.model, ranks: 3)
        _ = try await harness.ready()
        var outcomes: [[EngineHarness.Outcome]] = []
        for round in 0..<3 {
            try await Task.sleep(for: RankRing.restDelay * round)
            outcomes.append(await harness.run(Self.requests(tokens: 5)).0)
        }
        await harness.stop()
        #expect(outcomes[0].allSatisfy { $0.finish == .length && $0.ids.count == 5 })
        #expect(outcomes[1] == outcomes[0] && outcomes[2] == outcomes[0])
    }

    @Test func `ranks with other options are refused with every difference`() async throws {
        let harness = EngineHarness(
            Self.model, ranks: 3,
            follower: { options, rank in
                if rank == 2 {
                    options.compute = .fast
                    options.maxBatchedTokens = 64
                }
            })
        let failure = try #require(await harness.failure())
        guard case .mismatch(let differences) = failure else {
            Issue.record("\(failure)")
            return
        }
        #expect(failure.exitCode == 78)
        #expect(differences.count == 3)
        #expect(differences[0].hasPrefix("--compute is exact on "))
        #expect(differences[0].hasSuffix("(rank 2)"))
        #expect(differences[1].hasPrefix("--kv-cache-dtype is f32 on "))
        #expect(differences[2].hasPrefix("--max-num-batched-tokens is 512 on "))
    }

    @Test func `a rank that cannot load ends all with its reason`() async throws {
        let harness = EngineHarness(
            Self.model, ranks: 3,
            follower: { options, rank in
                if rank == 2 { options.modelDirectory = URL(fileURLWithPath: "/nonexistent") }
            })
        let failure = try #require(await harness.failure())
        guard case .ended(2, let reason, 1) = failure else {
            Issue.record("\(failure)")
            return
        }
        #expect(reason.contains("/nonexistent"))
    }
}
