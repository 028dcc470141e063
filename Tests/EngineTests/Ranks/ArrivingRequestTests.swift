import Foundation
import Scheduling
import Synchronization
import TestSupport
import Testing

@testable import Engine

/// Requests that arrive while the ranks compute a step.
@Suite struct ArrivingRequestTests {
    /// A connection that does not send to rank 0 while `isHeld` is true.
    private final class HeldTransport: RankTransport {
        private let base: LocalTransport
        private let isHeld: @Sendable () -> Bool

        init(_ base: LocalTransport, isHeld: @escaping @Sendable () -> Bool) {
            self.base = base
            self.isHeld = isHeld
        }

        var rank: Int { base.rank }
        var ranks: Int { base.ranks }
        var bell: any RankBell { base.bell }

        func send(_ bytes: [UInt8], to rank: Int) throws(RankFailure) {
            while rank == 0, isHeld() { usleep(1000) }
            try base.send(bytes, to: rank)
        }

        func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8]? {
            try base.receive(from: rank, atMost: limit)
        }

        func progress() -> Bool { base.progress() }
        func close() { base.close() }
        func abandon() { base.abandon() }
    }

    private final class Hold: Sendable {
        private let state = Mutex(false)

        var isOn: Bool {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    @Test func `a request begins before the reply to a step in flight`() async throws {
        let hold = Hold()
        let harness = EngineHarness(
            Fixtures.root.appending(path: "model/a_base"), ranks: 2,
            transport: { HeldTransport($0) { hold.isOn } })
        _ = try await harness.ready()
        hold.isOn = true
        #expect(harness.engine.submit([.test(1, [1, 2, 3], maxTokens: 1)]))
        while harness.engine.currentStep?.phase != .compute { try await Task.sleep(for: .milliseconds(1)) }
        #expect(harness.engine.submit([.test(2, [4, 5, 6], maxTokens: 1)]))
        func hasBegun() -> Bool {
            let step = harness.engine.currentStep
            return step?.phase == .compute && step?.sequences == [SequenceID(2)]
        }
        let end = ContinuousClock.now + .seconds(30)
        while !hasBegun(), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(1)) }
        #expect(hasBegun())
        hold.isOn = false
        let (outcomes, statistics) = await harness.run(waves: [], submitted: [SequenceID(1), SequenceID(2)])
        await harness.stop()
        #expect(outcomes.map(\.ids.count) == [1, 1])
        #expect(statistics.mostBatchesInFlight == 2)
    }

    @Test func `a wait for a reply ends with the reply or with an interruption`() throws {
        let ranks = LocalRanks(count: 2)
        let group = RankGroup(ranks.transport(rank: 0), timeout: nil)
        var looks = 0
        let interrupted = try group.receiveReply(atMost: 10, waited: .zero) {
            looks += 1
            return looks == 3
        }
        #expect(interrupted == nil && looks == 3)
        try ranks.transport(rank: 1).send([1, 2], to: 0)
        #expect(try group.receiveReply(atMost: 10, waited: .zero) { true } == [1, 2])
    }

    @Test func `earlier waits for a reply count towards the timeout`() {
        let group = RankGroup(LocalRanks(count: 2).transport(rank: 0), timeout: .seconds(3600))
        #expect(throws: RankFailure.noReply(seconds: 3600)) {
            try group.receiveReply(atMost: 10, waited: .seconds(3602)) { false }
        }
    }
}
