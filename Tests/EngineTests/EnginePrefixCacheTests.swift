import Foundation
import Scheduling
import TestSupport
import Testing

@testable import Engine

/// What the cache saves, and that it does not change results.
@Suite struct EnginePrefixCacheTests {
    private static func directory(_ name: String) -> URL {
        name == "trinity-tiny" ? Fixtures.chatModel : Fixtures.root.appending(path: "model/\(name)")
    }

    private static func tokens(_ count: Int, _ random: inout SeededGenerator) -> [Int32] {
        (0..<count).map { _ in Int32.random(in: 10..<200, using: &random) }
    }

    @Test(arguments: [("a_base", 8), ("d_long", 64), ("trinity-tiny", 128)] as [(String, Int)])
    func `a conversation recomputes at most one logical block more than its new tokens`(name: String, window: Int)
        async throws
    {
        var random = SeededGenerator(seed: 1)
        let directory = Self.directory(name)
        let cached = EngineHarness(directory) { $0.maxBatchedTokens = 100 }
        let plain = EngineHarness(directory) { $0.cachesPrefixes = false }
        #expect(try await cached.ready().config.slidingWindow == window)
        _ = try await plain.ready()
        var conversation = Self.tokens(window + 40, &random)
        var known = 0
        for turn in 1...6 as ClosedRange<UInt64> {
            let request = GenerationRequest.test(
                turn, conversation, maxTokens: 9, temperature: 0.9, seed: turn, logprobs: 2, ignoresEndOfSequence: true)
            let (outcomes, statistics) = await cached.run([request])
            let (expected, plainStatistics) = await plain.run([request])
            #expect(outcomes == expected)
            #expect(statistics.holdsNothing && plainStatistics.holdsNothing)
            #expect(outcomes[0].cachedTokens % 16 == 0 && outcomes[0].cachedTokens <= known)
            #expect(known - outcomes[0].cachedTokens < 16)
            #expect(expected[0].cachedTokens == 0 && plainStatistics.scheduler.cachedBlocks == 0)
            // The last token was sampled, but not computed.
            known = conversation.count + 9 - 1
            conversation += outcomes[0].ids + Self.tokens(25, &random)
        }
        await cached.stop()
        await plain.stop()
    }

    @Test func `choices share the prompt that the first one has computed`() async throws {
        var random = SeededGenerator(seed: 2)
        let harness = EngineHarness(Self.directory("d_long")) { $0.maxBatchedTokens = 64 }
        _ = try await harness.ready()
        let prompt = Self.tokens(150, &random)
        let requests = (0..<3).map { choice in
            var request = GenerationRequest.test(UInt64(choice + 1), prompt, maxTokens: 30, temperature: 1, seed: 5)
            request.sampling.choice = choice
            request.stop.ignoresEndOfSequence = true
            return request
        }
        let (outcomes, statistics) = await harness.run(requests)
        // The third step computes the last 22 of the first one's tokens and has room for the others, which find 128.
        #expect(outcomes.map(\.cachedTokens) == [0, 128, 128])
        #expect(statistics.scheduler.prefixQueries == 450 && statistics.scheduler.prefixHits == 256)
        #expect(outcomes[0].ids != outcomes[1].ids)
        await harness.stop()
    }

    @Test func `sequences with different salts share nothing`() async throws {
        let harness = EngineHarness(Self.directory("a_base"))
        _ = try await harness.ready()
        var cached: [Int] = []
        for (id, salt) in ([[], [1], [1], []] as [[UInt8]]).enumerated() {
            var request = GenerationRequest.test(UInt64(id), (0..<40).map { $0 }, maxTokens: 1)
            request.cacheSalt = salt
            cached += await harness.run([request]).0.map(\.cachedTokens)
        }
        #expect(cached == [0, 0, 32, 32])
        await harness.stop()
    }

    /// Many conversations with one system prompt and a pool for one sequence of full length: cached blocks are evicted
    /// constantly.
    @Test(arguments: ["a_base", "d_long"])
    func `evictions change no result`(name: String) async throws {
        var random = SeededGenerator(seed: 3)
        let directory = Self.directory(name)
        let system = Self.tokens(40, &random)
        let users = (0..<8).map { _ in Self.tokens(Int.random(in: 5...40, using: &random), &random) }
        let plain = EngineHarness(directory) {
            $0.cachesPrefixes = false
            $0.maxSequences = 1
        }
        let config = try await plain.ready().config
        let layout = KVCacheLayout(config: config, dataType: .f32)
        let least = layout.geometry(totalBlocks: 0).peakBlocks(tokens: 240, chunk: 1)
        let small = EngineHarness(directory) {
            $0.maxSequences = 8
            $0.maxBatchedTokens = 40
            $0.maxModelLength = 240
            $0.kvCacheMemory = least * layout.bytesPerBlock
        }
        _ = try await small.ready()
        var conversations = users.map { system + $0 }
        var (id, hits, preemptions) = (UInt64(0), UInt64(0), UInt64(0))
        for _ in 0..<3 {
            let requests = conversations.map { conversation in
                id += 1
                return GenerationRequest.test(
                    id, conversation, maxTokens: 40, temperature: 0.7, seed: id, logprobs: 1, ignoresEndOfSequence: true
                )
            }
            var expected: [EngineHarness.Outcome] = []
            for request in requests { expected += await plain.run([request]).0 }
            let (outcomes, statistics) = await small.run(requests)
            #expect(outcomes == expected)
            #expect(statistics.holdsNothing)
            (hits, preemptions) = (statistics.scheduler.prefixHits, statistics.scheduler.preemptions)
            for index in conversations.indices {
                conversations[index] += outcomes[index].ids + Self.tokens(10, &random)
            }
        }
        #expect(hits > 0)
        // With a small window, sequences request more blocks at admission than they use later.
        if name == "d_long" { #expect(preemptions > 0) }
        await plain.stop()
        await small.stop()
    }
}
