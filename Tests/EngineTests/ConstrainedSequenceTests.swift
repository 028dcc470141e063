import Foundation
import Grammars
import Scheduling
import TestSupport
import Testing
import Tokenizers

@testable import Engine

/// Sequences with late masks: only they wait, and no result changes.
@Suite struct ConstrainedSequenceTests {
    private let tokenizer: Tokenizer

    init() throws {
        tokenizer = try Tokenizer(contentsOf: Fixtures.chatModel.appending(path: "tokenizer.json"))
    }

    private func harness(
        ranks: Int = 1, _ change: (inout EngineOptions) -> Void = { _ in }, runner: @escaping MaskWorkers.Runner
    ) -> EngineHarness {
        EngineHarness(Fixtures.chatModel, tokenizer: tokenizer, ranks: ranks) { options in
            options.maskRunner = runner
            change(&options)
        }
    }

    private func request(
        _ id: UInt64, _ source: GrammarSource? = nil, maxTokens: Int = 40, temperature: Float = 0.9
    ) throws -> GenerationRequest {
        var request = GenerationRequest.test(
            id, tokenizer.encode("The old fox said:", addSpecialTokens: true), maxTokens: maxTokens,
            temperature: temperature, seed: id, logprobs: 1, ignoresEndOfSequence: source == nil)
        request.grammar = try source.map {
            // A new compiler without cached results.
            let compiler = GrammarCompiler { [tokenizer] in tokenizer.vocabularyBytes(skipSpecialTokens: true) }
            return GrammarMatcher(try compiler.compile($0, beginsWithSpace: false))
        }
        return request
    }

    /// Constrained ones among free ones.
    private func mixedRequests() throws -> [GenerationRequest] {
        let sources: [GrammarSource?] = [
            nil, .jsonObject, .regex("([a-z]{3,6} ){4}"), nil, .regex("(abc ){12}"), .choice(["yes", "no", "never"]),
            .regex("[0-9]{9}"), nil, .regex("(la )*"),
        ]
        var requests: [GenerationRequest] = []
        for (index, source) in sources.enumerated() {
            requests.append(try request(UInt64(index + 1), source, temperature: index % 2 == 0 ? 0.9 : 0))
        }
        // Its last token is the last one of both its grammar and its limit.
        requests.append(try request(20, .choice(["a"]), maxTokens: 1))
        return requests
    }

    @Test(arguments: [(nil, 1, 1), (4, 1, 1), (4, 2, 1), (20, 2, 1), (nil, 3, 3), (4, 3, 3)] as [(Int?, UInt64, Int)])
    func `slow masks change no token, no text and no finish reason`(
        speculativeTokens: Int?, seed: UInt64, ranks: Int
    ) async throws {
        let alone = EngineHarness(Fixtures.chatModel, tokenizer: tokenizer) { $0.maxSequences = 1 }
        _ = try await alone.ready()
        var expected: [EngineHarness.Outcome] = []
        for request in try mixedRequests() { expected += await alone.run([request]).0 }
        await alone.stop()
        #expect(expected.contains { $0.finish == .stop(.endOfSequence) })

        // Some slices make no progress, and each takes up to 6 ms.
        let slow = harness(ranks: ranks) {
            $0.batchesInFlight = ranks
            $0.speculativeTokens = speculativeTokens
            $0.maxSequences = 6
        } runner: { id, computation, units, isCancelled in
            var random = SeededGenerator(seed: seed &+ id.rawValue &+ UInt64(computation.spentUnits))
            usleep(UInt32.random(in: 0...6000, using: &random))
            return computation.run(units: units, isCancelled: isCancelled)
        }
        _ = try await slow.ready()
        let (outcomes, statistics) = await slow.run(try mixedRequests())
        await slow.stop()
        for (index, outcome) in outcomes.enumerated() { #expect(outcome == expected[index], "request \(index + 1)") }
        #expect(statistics.masks.deferrals > 5 && statistics.masks.computations > 20)
        #expect(statistics.masks.time > .milliseconds(20))
        #expect(statistics.holdsNothing)
        if speculativeTokens != nil { #expect(statistics.scheduler.acceptedDraftTokens > 0) }
    }

    @Test func `a mask that takes a second causes no gap in another stream`() async throws {
        let slow = harness { id, computation, units, isCancelled in
            guard id.rawValue == 1 else { return computation.run(units: units, isCancelled: isCancelled) }
            for _ in 0..<100 where !isCancelled() { usleep(10_000) }
            return computation.run(units: units, isCancelled: isCancelled)
        }
        _ = try await slow.ready()
        let begin = ContinuousClock.now
        let (outcomes, statistics) = await slow.run([
            try request(1, .regex("[a-z]+"), maxTokens: 2), try request(2, maxTokens: 60),
            try request(3, .regex("[a-z ]{60}"), maxTokens: 20),
        ])
        #expect(ContinuousClock.now - begin > .milliseconds(900))
        await slow.stop()
        #expect(outcomes[0].ids.count == 2 && outcomes[1].ids.count == 60 && !outcomes[2].ids.isEmpty)
        // The slow sequence does not block the others: each of its masks delays one step by at most a short wait.
        #expect(statistics.masks.time > .milliseconds(900))
        #expect(statistics.masks.waits * 2 < statistics.masks.time, "\(statistics.masks.waits)")
    }

    @Test func `while nothing can be computed the engine sleeps, and an abort and a deadline are handled`() async throws
    {
        let stuck = harness { id, computation, _, isCancelled in
            while !isCancelled() { usleep(1000) }
            return nil
        }
        _ = try await stuck.ready()
        var late = try request(2, .regex("[a-z]+"))
        late.deadline = .now + .milliseconds(400)
        let begin = ContinuousClock.now
        // Aborted immediately after its admission.
        let (outcomes, statistics) = await stuck.run(
            [try request(1, .regex("[a-z]+")), late], abortAfterTokens: [SequenceID(1): 0])
        #expect(outcomes.map(\.finish) == [.abort, .deadlineExceeded])
        #expect(ContinuousClock.now - begin >= .milliseconds(390))
        #expect(statistics.steps <= 4, "\(statistics.steps) steps")
        #expect(statistics.holdsNothing)
        let (after, _) = await stuck.run([try request(3, maxTokens: 3)])
        #expect(after.first?.finish == .length)
        await stuck.stop()
    }

    @Test func `a grammar that exceeds a bound ends only its own sequence`() async throws {
        let limit = GrammarLimit.parallelParses(4096)
        let limited = harness { id, computation, units, isCancelled in
            id.rawValue == 1 ? .failure(limit) : computation.run(units: units, isCancelled: isCancelled)
        }
        _ = try await limited.ready()
        let (outcomes, statistics) = await limited.run([
            try request(1, .regex("[a-z]+")), try request(2, .regex("[a-z]+"), maxTokens: 5),
            try request(3, maxTokens: 5),
        ])
        await limited.stop()
        #expect(outcomes[0].finish == .grammarLimit("uses more than 4096 parallel parses") && outcomes[0].ids.isEmpty)
        #expect(!outcomes[1].ids.isEmpty && outcomes[2].finish == .length)
        #expect(statistics.holdsNothing)
    }
}
