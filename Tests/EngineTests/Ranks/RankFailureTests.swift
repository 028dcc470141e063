import Foundation
import Scheduling
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
        let ranks = try #require(harness.ranks)
        var outcomes: [[EngineHarness.Outcome]] = []
        for round in 0..<3 {
            while ranks.sleeping != [1, 2] { try await Task.sleep(for: .milliseconds(5)) }
            #expect(ranks.rings == round)
            outcomes.append(await harness.run(Self.requests(tokens: 5)).0)
        }
        await harness.stop()
        #expect(outcomes[0].allSatisfy { $0.finish == .length && $0.ids.count == 5 })
        #expect(outcomes[1] == outcomes[0] && outcomes[2] == outcomes[0])
    }

    @Test func `requests that come with the loss of a rank end with an error`() async throws {
        let harness = EngineHarness(Self.model, starts: false, ranks: 2)
        let ranks = try #require(harness.ranks)
        let refused = GenerationRequest.test(2, [1], maxTokens: -1)
        let requests = Self.requests(tokens: 5)
        // Before the engine hears of it.
        ranks.onLoss { [engine = harness.engine] in #expect(engine.submit([requests[0], refused])) }
        harness.engine.start()
        _ = try await harness.ready()
        while ranks.sleeping != [1] { try await Task.sleep(for: .milliseconds(5)) }
        ranks.lose(rank: 1)
        let (outcomes, _) = await harness.run(waves: [], submitted: [SequenceID(1), SequenceID(2)])
        let reason = RankFailure.lost(rank: 1)
        #expect(outcomes[0].finish == .error(reason.description))
        guard case .error(let why) = outcomes[1].finish else {
            Issue.record("the refused request has not ended with an error")
            return
        }
        #expect(why != reason.description)
        #expect(await harness.failure() == reason)
    }

    @Test func `a rank that fails after it has loaded its layers ends all with its reason`() async throws {
        // The reports are what it is, that its layers are loaded, its blocks, and that it has allocated them.
        let harness = EngineHarness(
            Self.model, ranks: 3,
            transport: { transport in
                var reports = 0
                return FaultyTransport(transport) { kind throws(RankFailure) in
                    if transport.rank == 2, kind == .report { reports += 1 }
                    if reports == 4, kind == .report { throw .transport("cannot allocate") }
                    return true
                }
            })
        await #expect(throws: RankFailure.ended(rank: 2, reason: "cannot allocate", code: 70)) {
            _ = try await harness.ready()
        }
    }

    @Test func `a step without a reply ends all`() async throws {
        let harness = EngineHarness(Self.model, ranks: 3) {
            $0.rankTimeout = .milliseconds(200)
        } transport: { transport in
            FaultyTransport(transport) { kind in transport.rank != 1 || kind != .step }
        }
        _ = try await harness.ready()
        let (outcomes, _) = await harness.run(Self.requests(tokens: 5))
        let reason = RankFailure.noReply(seconds: 0.2)
        #expect(outcomes.allSatisfy { $0.finish == .error(reason.description) })
        #expect(await harness.failure() == reason)
        #expect(reason.exitCode == 70)
    }

    @Test func `a rank of another version is a mismatch`() throws {
        let group = RankGroup(LocalRanks(count: 2).transport(rank: 0), timeout: nil)
        var message = RankMessage.report.writer.bytes
        message[4] = 7
        let failure = RankFailure.mismatch(["a message from rank 1 has version 7 of the protocol, not 1"])
        #expect(throws: failure) {
            try group.read(message, from: 1) { (reader) throws(RankMessageError) in try RankMessage.read(&reader) }
        }
        #expect(failure.exitCode == 78)
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

/// A connection that asks before it sends a message: `true` sends it, `false` drops it.
private final class FaultyTransport: RankTransport {
    private let transport: LocalTransport
    private let sends: (RankMessage) throws(RankFailure) -> Bool

    init(_ transport: LocalTransport, sends: @escaping (RankMessage) throws(RankFailure) -> Bool) {
        self.transport = transport
        self.sends = sends
    }

    var rank: Int { transport.rank }
    var ranks: Int { transport.ranks }
    var bell: any RankBell { transport.bell }

    func send(_ bytes: [UInt8], to rank: Int) throws(RankFailure) {
        var reader = RankReader(bytes)
        guard let kind = try? RankMessage.read(&reader), try sends(kind) else { return }
        try transport.send(bytes, to: rank)
    }

    func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8]? {
        try transport.receive(from: rank, atMost: limit)
    }

    func progress() -> Bool { transport.progress() }
    func close() { transport.close() }
    func abandon() { transport.abandon() }
}
