import Checkpoints
import Foundation
import Scheduling
import TestSupport
import Testing

@testable import Engine

/// Log-probabilities of a prompt's tokens, and other restrictions on sampled tokens.
@Suite struct PromptLogprobTests {
    private static let model = Fixtures.root.appending(path: "model/d_long")

    private static func tokens(_ count: Int) -> [Int32] {
        var random = SeededGenerator(seed: 11)
        return (0..<count).map { _ in Int32.random(in: 10..<200, using: &random) }
    }

    @Test(arguments: [1, 7, 512])
    func `a prompt's token has the same log-probability as when it is sampled`(chunk: Int) async throws {
        let harness = EngineHarness(Self.model) {
            $0.maxBatchedTokens = chunk
            // Fewer rows of logits than a chunk has tokens.
            $0.maxSequences = 3
        }
        _ = try await harness.ready()
        let prompt = Self.tokens(90)
        var asked = GenerationRequest.test(1, prompt, maxTokens: 2, logprobs: 3)
        asked.promptLogprobs = 3
        // The second time the prompt is in the cache.
        for turn in 0..<2 as Range<UInt64> {
            asked.id = SequenceID(100 + turn)
            let (outcomes, statistics) = await harness.run([asked])
            #expect(outcomes[0].promptLogprobs.count == 89)
            #expect(outcomes[0].cachedTokens == 0 && statistics.holdsNothing)
            for count in [1, 2, 15, 16, 17, 64, 89] {
                var drawn = GenerationRequest.test(2, Array(prompt[..<count]), maxTokens: 1, logprobs: 3)
                drawn.sampling.allowedTokenIDs = [prompt[count]]
                let (expected, _) = await harness.run([drawn])
                #expect(expected[0].ids == [prompt[count]])
                #expect(expected[0].logprobs == [outcomes[0].promptLogprobs[count - 1]])
            }
        }
        await harness.stop()
    }

    @Test func `a prompt is reported once, even if its sequence is preempted repeatedly`() async throws {
        func outcomes(_ change: @Sendable (inout EngineOptions) -> Void) async throws -> (
            [EngineHarness.Outcome], UInt64
        ) {
            let harness = EngineHarness(Self.model, change)
            _ = try await harness.ready()
            let requests = (1...8).map { number in
                var request = GenerationRequest.test(
                    UInt64(number), Self.tokens(20 + number), maxTokens: 150, ignoresEndOfSequence: true)
                request.promptLogprobs = 1
                return request
            }
            let (outcomes, statistics) = await harness.run(requests)
            await harness.stop()
            return (outcomes, statistics.scheduler.preemptions)
        }
        let (plain, _) = try await outcomes { _ in }
        let memory = try Self.memory(tokens: 240)
        let (tight, preemptions) = try await outcomes {
            $0.maxModelLength = 240
            $0.kvCacheMemory = memory
        }
        #expect(preemptions > 0)
        #expect(plain == tight)
        #expect(plain.map(\.promptLogprobs.count) == (1...8).map { 20 + $0 - 1 })
    }

    @Test func `a sequence without room for tokens reports its prompt and ends`() async throws {
        let harness = EngineHarness(Self.model) { $0.maxBatchedTokens = 16 }
        _ = try await harness.ready()
        var request = GenerationRequest.test(1, Self.tokens(40), maxTokens: 0)
        request.promptLogprobs = 0
        let (outcomes, statistics) = await harness.run([request])
        #expect(outcomes[0].ids.isEmpty && outcomes[0].text.isEmpty && outcomes[0].finish == .length)
        #expect(outcomes[0].promptLogprobs.count == 39)
        #expect(outcomes[0].promptLogprobs.allSatisfy { $0.top.isEmpty })
        #expect(statistics.generationTokens == 0 && statistics.holdsNothing)
        await harness.stop()
    }

    @Test func `bad words are never completed`() async throws {
        let harness = EngineHarness(Self.model)
        _ = try await harness.ready()
        let prompt = Self.tokens(20)
        let (free, _) = await harness.run([.test(1, prompt, maxTokens: 8, ignoresEndOfSequence: true)])
        let ids = free[0].ids
        var request = GenerationRequest.test(2, prompt, maxTokens: 8, ignoresEndOfSequence: true)
        request.sampling.badWords = [Array(ids[0..<3])]
        let (held, _) = await harness.run([request])
        #expect(Array(held[0].ids[..<2]) == Array(ids[..<2]))
        #expect(held[0].ids[2] != ids[2])
        // A bad word of one token is never sampled.
        request.id = SequenceID(3)
        request.sampling.badWords = [[ids[0]], [ids[1]]]
        let (other, _) = await harness.run([request])
        #expect(!other[0].ids.contains(ids[0]) && !other[0].ids.contains(ids[1]))
        await harness.stop()
    }

    /// A pool that is only slightly larger than one sequence of `tokens` tokens.
    static func memory(tokens: Int) throws -> Int {
        let layout = KVCacheLayout(config: try ModelConfig(directory: model), dataType: .f32)
        return layout.geometry(totalBlocks: 0).peakBlocks(tokens: tokens, chunk: 1) * layout.bytesPerBlock
    }
}
