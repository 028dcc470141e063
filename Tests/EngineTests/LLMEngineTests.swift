import Foundation
import JSON
import Scheduling
import TestSupport
import Testing
import Tokenizers

@testable import Engine

/// The whole engine on its own thread: model, scheduler, sampler, text.
@Suite struct LLMEngineTests {
    private static func tokenizer() throws -> Tokenizer {
        try Tokenizer(contentsOf: Fixtures.chatModel.appending(path: "tokenizer.json"))
    }

    private static func ids(_ value: JSONValue?) -> [Int32] {
        (value?.array ?? []).compactMap { $0.integer.map(Int32.init) }
    }

    @Test func `the chat model reproduces its reference, all prompts at once`() async throws {
        let cases = try #require(try Fixtures.json("model/trinity-tiny-goldens.json")["cases"]?.array)
        let harness = EngineHarness(Fixtures.chatModel, tokenizer: try Self.tokenizer())
        _ = try await harness.ready()
        let requests = cases.enumerated().map { index, golden in
            GenerationRequest.test(UInt64(index + 1), Self.ids(golden["prompt_ids"]), maxTokens: 200)
        }
        let (outcomes, statistics) = await harness.run(requests)
        #expect(outcomes.count == cases.count)
        for (golden, outcome) in zip(cases, outcomes) {
            let name = golden["name"]?.string ?? ""
            #expect(outcome.ids == Self.ids(golden["until_eos_ids"]), "\(name)")
            #expect(outcome.text == golden["decoded_until_eos"]?.string, "\(name)")
            #expect(outcome.finish == (golden["finish_reason"] == "stop" ? .stop(.endOfSequence) : .length), "\(name)")
        }
        #expect(statistics.holdsNothing)
        await harness.stop()
    }

    /// Prompts of different lengths with sampling, penalties and logprobs: everything that must not depend on other requests.
    private static let mixed: [GenerationRequest] = (0..<12).map { index in
        var request = GenerationRequest.test(
            UInt64(index + 1), (0..<(3 + index * 29 % 200)).map { Int32(20 + ($0 * 7 + index * 13) % 2000) },
            maxTokens: 60 + index, temperature: index % 3 == 0 ? 0 : 0.9, seed: UInt64(index), logprobs: 3,
            ignoresEndOfSequence: true)
        request.sampling.frequencyPenalty = Float(index % 2)
        request.sampling.topP = index % 4 == 1 ? 0.9 : 1
        return request
    }

    @Test(
        arguments: [
            ("one at a time", 1, 512, 1, nil), ("one token a step", 1, 1, 1, nil), ("tiny chunks", 64, 12, 1, nil),
            ("two threads", 64, 512, 2, nil), ("more threads than CPUs", 64, 512, 5, nil),
            // The pool holds one or two sequences, so that they are preempted and computed again.
            ("a pool that preempts", 64, 64, 1, 224 << 10),
        ] as [(String, Int, Int, Int, Int?)])
    func `results do not depend on the load`(
        name: String, maxSequences: Int, maxBatchedTokens: Int, threads: Int, kvCacheMemory: Int?
    ) async throws {
        let model = Fixtures.root.appending(path: "model/a_base")
        // Ids of this model are below 256.
        let requests = Self.mixed.map { request in
            var request = request
            request.promptIDs = request.promptIDs.map { $0 % 256 }
            return request
        }
        let alone = EngineHarness(model) {
            $0.maxSequences = 1
            $0.cachesPrefixes = false
        }
        _ = try await alone.ready()
        var expected: [EngineHarness.Outcome] = []
        for request in requests { expected += await alone.run([request]).0 }
        await alone.stop()

        let together = EngineHarness(model) {
            $0.maxSequences = maxSequences
            $0.maxBatchedTokens = maxBatchedTokens
            $0.threads = threads
            $0.maxModelLength = 300
            $0.kvCacheMemory = kvCacheMemory
        }
        _ = try await together.ready()
        let (outcomes, statistics) = await together.run(requests)
        await together.stop()
        #expect(outcomes == expected)
        #expect(expected.allSatisfy { $0.finish == .length && $0.logprobs.allSatisfy { $0?.top.count == 3 } })
        #expect(statistics.holdsNothing)
        #expect((statistics.scheduler.preemptions > 0) == (kvCacheMemory != nil))
    }

    @Test func `an aborted sequence ends once and frees its blocks`() async throws {
        // Long enough that a busy machine cannot finish it before the abort arrives.
        let harness = EngineHarness(Fixtures.root.appending(path: "model/a_base")) {
            $0.maxModelLength = 30_000
            $0.maxSequences = 2
        }
        _ = try await harness.ready()
        let long = GenerationRequest.test(1, [1, 2, 3], maxTokens: 25_000, ignoresEndOfSequence: true)
        let short = GenerationRequest.test(2, [4, 5], maxTokens: 5, ignoresEndOfSequence: true)
        let (outcomes, statistics) = await harness.run([long, short], abortAfterTokens: [SequenceID(1): 10])
        #expect(outcomes[0].finish == .abort)
        #expect(10 <= outcomes[0].ids.count && outcomes[0].ids.count < 25_000)
        #expect(outcomes[1].finish == .length)
        #expect(statistics.holdsNothing)
        await harness.stop()
    }

    @Test func `a model length that does not fit into memory is refused with both sizes`() async throws {
        let harness = EngineHarness(Fixtures.chatModel) {
            $0.kvCacheMemory = 1 << 20
            $0.maxModelLength = 2048
        }
        await #expect {
            try await harness.ready()
        } throws: {
            String(describing: $0).contains("2048 tokens") && String(describing: $0).contains("--kv-cache-memory-bytes")
        }
    }

    @Test func `without an explicit length the longest possible one is served`() async throws {
        let harness = EngineHarness(Fixtures.chatModel) { $0.kvCacheMemory = 2 << 20 }
        let model = try await harness.ready()
        #expect(model.maxModelLength < 2048)
        #expect(model.memory.fullLengthSequences == 1)
        await harness.stop()
    }

    @Test func `a folder without a model is a clear error`() async throws {
        let harness = EngineHarness(Fixtures.root.appending(path: "nothing"))
        await #expect {
            try await harness.ready()
        } throws: {
            String(describing: $0).contains("there is no folder")
        }
    }
}
