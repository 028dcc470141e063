import Foundation
import Scheduling
import TestSupport
import Testing

@testable import Engine

/// The mean of a prompt's final hidden states.
@Suite struct EmbeddingTests {
    private static let model = Fixtures.root.appending(path: "model/d_long")

    private static func tokens(_ count: Int, seed: UInt64 = 11) -> [Int32] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in Int32.random(in: 10..<200, using: &random) }
    }

    private static func request(_ id: UInt64, _ prompt: [Int32]) -> GenerationRequest {
        var request = GenerationRequest.test(id, prompt, maxTokens: 0)
        request.embedsPrompt = true
        return request
    }

    @Test(arguments: ["a_base", "b1_nomup_tied_shared2", "c2_layer_types", "d_long", "e_bf16", "f3_fp8_ct_block"])
    func `an embedding is the normalized mean of the reference's hidden states`(name: String) async throws {
        let model = try ModelCase(name)
        let harness = EngineHarness(Fixtures.root.appending(path: "model/\(name)"))
        _ = try await harness.ready()
        var compared = 0
        for prompt in model.prompts {
            guard let states = model.golden("\(prompt.name).prompt_final_hidden") else { continue }
            let width = model.config.hiddenSize
            #expect(states.count == prompt.promptIDs.count * width)
            var mean = [Double](repeating: 0, count: width)
            for (index, value) in states.enumerated() { mean[index % width] += Double(value) }
            let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let (outcomes, statistics) = await harness.run([Self.request(1, prompt.promptIDs)])
            let embedding = try #require(outcomes[0].embedding)
            #expect(embedding.count == width && outcomes[0].finish == .length && outcomes[0].ids.isEmpty)
            #expect(statistics.generationTokens == 0 && statistics.holdsNothing)
            for (value, expected) in zip(embedding, mean) { #expect(abs(Double(value) - expected / length) < 1e-4) }
            compared += 1
        }
        #expect(compared > 0)
        await harness.stop()
    }

    @Test func `chunks, other requests, threads and the prefix cache change no bit`() async throws {
        let prompts = [90, 1, 33, 90].enumerated().map { Self.tokens($1, seed: UInt64($0 % 3)) }
        func embeddings(
            _ order: [Int], others: Bool, _ change: @Sendable (inout EngineOptions) -> Void
        ) async throws -> [Int: [Float]] {
            let harness = EngineHarness(Self.model, change)
            _ = try await harness.ready()
            var requests = order.map { Self.request(UInt64($0 + 1), prompts[$0]) }
            if others {
                requests += (10..<14).map {
                    GenerationRequest.test($0, Self.tokens(25, seed: $0), maxTokens: 30, ignoresEndOfSequence: true)
                }
            }
            var found: [Int: [Float]] = [:]
            // The second time all prompts are in the prefix cache.
            for _ in 0..<2 {
                let (outcomes, _) = await harness.run(requests)
                for (place, number) in order.enumerated() {
                    #expect(outcomes[place].cachedTokens == 0)
                    let embedding = try #require(outcomes[place].embedding)
                    #expect(found[number] == nil || found[number] == embedding)
                    found[number] = embedding
                }
            }
            await harness.stop()
            return found
        }
        let alone = try await embeddings([0, 1, 2, 3], others: false) { $0.maxBatchedTokens = 512 }
        #expect(alone[0] == alone[3] && alone[0] != alone[2])
        for chunk in [64, 65, 70] {
            let loaded = try await embeddings([3, 2, 1, 0], others: true) {
                $0.maxBatchedTokens = chunk
                $0.maxSequences = 8
                $0.threads = 2
            }
            #expect(loaded == alone, "chunks of \(chunk)")
        }
    }

    @Test func `a preempted prompt is counted once`() async throws {
        func outcomes(_ change: @Sendable (inout EngineOptions) -> Void) async throws -> [EngineHarness.Outcome] {
            let harness = EngineHarness(Self.model, change)
            _ = try await harness.ready()
            var requests = (1...6).map { number in
                GenerationRequest.test(
                    UInt64(number), Self.tokens(20 + number), maxTokens: 150, ignoresEndOfSequence: true)
            }
            requests += (7...10).map { Self.request(UInt64($0), Self.tokens(200 + $0)) }
            let (outcomes, _) = await harness.run(requests)
            await harness.stop()
            return outcomes
        }
        let plain = try await outcomes { _ in }
        let tight = try await outcomes {
            $0.maxModelLength = 240
            $0.maxBatchedTokens = 16
            $0.maxSequences = 16
            $0.kvCacheMemory = try? PromptLogprobTests.memory(tokens: 240)
        }
        #expect(plain == tight)
        #expect(plain[6...].allSatisfy { $0.embedding != nil } && plain[..<6].allSatisfy { $0.embedding == nil })
    }

    @Test func `states without a direction have no mean`() {
        var mean = HiddenStateMean()
        #expect(mean.normalized == nil)
        for state in [[3, 0], [0, 4]] as [[Float]] { state.withUnsafeBufferPointer { mean.add($0) } }
        #expect(mean.normalized == [0.6, 0.8] && mean.tokens == 2)
        [Float.nan, 0].withUnsafeBufferPointer { mean.add($0) }
        #expect(mean.normalized == nil)
    }
}
