import Foundation
import Scheduling
import TestSupport
import Testing

@testable import Engine

/// Every accepted sequence ends exactly once, for all kinds and times of commands.
@Suite struct EngineLifecycleTests {
    private static let model = Fixtures.root.appending(path: "model/a_base")

    private static func request(_ id: UInt64, maxTokens: Int = 8) -> GenerationRequest {
        .test(id, [1, 2, 3], maxTokens: maxTokens, ignoresEndOfSequence: true)
    }

    @Test func `an abort that comes with its submission, twice, or for an unknown id ends a sequence once`()
        async throws
    {
        // Long enough that a busy machine cannot finish them before the aborts arrive.
        let harness = EngineHarness(Self.model) {
            $0.maxModelLength = 30_000
            $0.maxSequences = 3
        }
        _ = try await harness.ready()
        #expect(harness.engine.submit((1...3).map { Self.request($0, maxTokens: 25_000) }))
        harness.engine.abort([SequenceID(1), SequenceID(1), SequenceID(77)])
        harness.engine.abort([SequenceID(1)])
        // Ends right after the ones above, regardless of the state of the engine when they arrived.
        let (outcomes, statistics) = await harness.run(
            waves: [[Self.request(4)]], submitted: [1, 2, 3].map { SequenceID($0) },
            abortAfterTokens: [SequenceID(2): 1, SequenceID(3): 1])
        #expect(outcomes.map(\.finish) == [.abort, .abort, .abort, .length])
        #expect(statistics.holdsNothing)
        await harness.stop()
    }

    @Test func `a deadline ends a sequence that runs, and one that has not started without a step`() async throws {
        let harness = EngineHarness(Self.model)
        _ = try await harness.ready()
        let start = ContinuousClock.now
        var late = Self.request(1)
        late.deadline = start
        var running = Self.request(2, maxTokens: 1000)
        running.deadline = start + .milliseconds(30)
        var patient = Self.request(3)
        patient.deadline = start + .seconds(1000)
        let (outcomes, statistics) = await harness.run([late, running, patient])
        #expect(outcomes.map(\.finish) == [.deadlineExceeded, .deadlineExceeded, .length])
        #expect(outcomes[0].ids.isEmpty && outcomes[1].ids.count < 1000)
        #expect(statistics.scheduler.expired == 2 && statistics.holdsNothing)
        await harness.stop()
    }

    @Test func `an abort in the step of the last token is either too late or in time`() async throws {
        let harness = EngineHarness(Self.model)
        _ = try await harness.ready()
        for id in UInt64(1)...60 {
            let tokens = Int(id % 4) + 1
            let (outcomes, statistics) = await harness.run(
                [Self.request(id, maxTokens: tokens)], abortAfterTokens: [SequenceID(id): max(tokens - 1, 1)])
            #expect(outcomes[0].finish == .length && outcomes[0].ids.count == tokens || outcomes[0].finish == .abort)
            #expect(statistics.holdsNothing)
        }
        await harness.stop()
    }

    @Test func `stop aborts running and waiting sequences, and nothing is accepted afterwards`() async throws {
        let harness = EngineHarness(Self.model) { $0.maxSequences = 2 }
        _ = try await harness.ready()
        #expect(harness.engine.submit((1...6).map { Self.request($0, maxTokens: 1000) }))
        await harness.stop()
        let report = harness.engine.takeReport()
        #expect(report.events.compactMap(\.finish) == Array(repeating: .abort, count: 6))
        #expect(report.statistics.holdsNothing)
        // The thread has ended: an accepted sequence would never end.
        #expect(!harness.engine.submit([Self.request(7)]))
    }

    @Test func `a failed load ends submitted sequences and accepts no more`() async throws {
        let broken = try TemporaryModel()
        try broken.write(Array("{".utf8), to: "config.json")
        let harness = EngineHarness(broken.directory, starts: false)
        #expect(harness.engine.submit([Self.request(1)]))
        harness.engine.start()
        await #expect(throws: EngineHarness.Failure.self) { try await harness.ready() }
        let events = harness.engine.takeReport().events
        #expect(events.count == 1)
        guard case .error = events.first?.finish else {
            Issue.record("\(events)")
            return
        }
        #expect(!harness.engine.submit([Self.request(2)]))
    }

    @Test(arguments: [[], [1, -1], [256], [3, .max]] as [[Int32]])
    func `an invalid prompt ends with an error, and other sequences continue`(prompt: [Int32]) async throws {
        let harness = EngineHarness(Self.model)
        _ = try await harness.ready()
        var broken = Self.request(1)
        broken.promptIDs = prompt
        let (outcomes, _) = await harness.run([broken, Self.request(2)])
        guard case .error = outcomes[0].finish else {
            Issue.record("\(outcomes[0])")
            return
        }
        #expect(outcomes[1].finish == .length)
        await harness.stop()
    }
}
