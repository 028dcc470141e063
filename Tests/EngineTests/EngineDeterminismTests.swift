import Checkpoints
import Scheduling
import TestSupport
import Testing
import Tokenizers

@testable import Engine

/// A request's tokens, log-probabilities and text are the same alone and with any other requests: requests with all parameters,
/// arriving at random times, with aborts, on engines of every configuration.
@Suite struct EngineDeterminismTests {
    @Test(
        arguments: [
            ("a_base", 1), ("a_base", 2), ("c_odd_sharded", 3), ("c2_layer_types", 4), ("d_long", 5),
            ("b1_nomup_tied_shared2", 6), ("e_bf16", 7), ("f3_fp8_ct_block", 8), ("f4_fp8_ds_block_ragged", 9),
        ] as [(String, UInt64)])
    func `other requests change nothing`(name: String, seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let directory = Fixtures.root.appending(path: "model/\(name)")
        let config = try ModelConfig(directory: directory)
        let tokenizer = try Tokenizer(contentsOf: Fixtures.chatModel.appending(path: "tokenizer.json"))
        let openings = (0..<2).map { _ in Self.tokens(Int.random(in: 17...60, using: &random), config, &random) }
        var requests = (1...12).map {
            Self.request($0, config, longest: name == "d_long" ? 300 : 60, openings: openings, &random)
        }
        let cacheType = KVDataType.allCases[Int(seed % 3)]

        let alone = EngineHarness(directory, tokenizer: tokenizer) { options in
            options.maxSequences = 1
            options.cachesPrefixes = false
            options.kvCacheType = cacheType
        }
        _ = try await alone.ready()
        var expected: [EngineHarness.Outcome] = []
        for request in requests { expected += await alone.run([request]).0 }
        for index in 0..<6 {
            let turn = Self.secondTurn(requests.count + 1, of: requests[index], expected[index], config, &random)
            requests.append(turn)
            expected += await alone.run([turn]).0
        }
        await alone.stop()
        #expect(expected.allSatisfy { !$0.ids.isEmpty && $0.finish != .abort })

        for round in 0..<3 {
            var shape = Shape(
                config, requests: requests, cacheType: cacheType, cachesPrefixes: round != 1, &random)
            // In a small pool the cache may be evicted before it is used.
            if round == 2 { shape.kvCacheMemory *= 8 }
            let harness = EngineHarness(directory, tokenizer: tokenizer, ranks: shape.stageLayers.count, shape.apply)
            _ = try await harness.ready()
            let aborts = Self.aborts(of: requests, &random)
            let (outcomes, statistics) = await harness.run(
                waves: Self.waves(requests, &random), abortAfterTokens: aborts)
            await harness.stop()
            // Second turns begin with cached tokens, in a pool without evictions.
            if round == 2 { #expect(statistics.scheduler.prefixHits > 0) }
            #expect((statistics.scheduler.prefixQueries > 0) == shape.cachesPrefixes)
            #expect(outcomes.count == expected.count)
            for (index, outcome) in outcomes.enumerated() where outcome != expected[index] {
                // An aborted sequence has a part of the result.
                let isBeginning =
                    outcome.finish == .abort && aborts[requests[index].id] != nil
                    && expected[index].ids.starts(with: outcome.ids)
                    && expected[index].logprobs.starts(with: outcome.logprobs)
                    && expected[index].text.utf8.starts(with: outcome.text.utf8)
                #expect(isBeginning, "seed \(seed), request \(index + 1), \(shape)")
            }
            #expect(statistics.holdsNothing, "\(shape)")
        }
    }

    /// The configuration of an engine.
    private struct Shape {
        var maxSequences: Int
        var maxBatchedTokens: Int
        var threads: Int
        var maxModelLength: Int
        var kvCacheMemory: Int
        var cacheType: KVDataType
        var cachesPrefixes: Bool
        var prefillPolicy: PrefillPolicy
        var speculativeTokens: Int?
        /// Layers of each rank among which the model is divided.
        var stageLayers: [Int]
        /// Batches that they compute at once.
        var batchesInFlight: Int?

        /// From plenty of room down to a pool that is hardly larger than the longest sequence.
        init(
            _ config: ModelConfig, requests: [GenerationRequest], cacheType: KVDataType, cachesPrefixes: Bool,
            _ random: inout SeededGenerator
        ) {
            self.cacheType = cacheType
            self.cachesPrefixes = cachesPrefixes
            maxSequences = Int.random(in: 2...14, using: &random)
            maxBatchedTokens = maxSequences + [0, 1, 7, 64, 500].randomElement(using: &random, or: 0)
            threads = Int.random(in: 1...2, using: &random)
            maxModelLength = requests.reduce(0) { max($0, $1.promptIDs.count + $1.maxTokens) }
            stageLayers = [Int](repeating: 1, count: Int.random(in: 1...min(4, config.layers), using: &random))
            while stageLayers.reduce(0, +) < config.layers {
                stageLayers[Int.random(in: stageLayers.indices, using: &random)] += 1
            }
            batchesInFlight = [nil, 1, 2, 4].randomElement(using: &random, or: nil)
            let layouts = Stage.stages(layerCounts: stageLayers).map {
                KVCacheLayout(config: config, dataType: cacheType, stage: $0)
            }
            let least = layouts[0].geometry(totalBlocks: 0).peakBlocks(tokens: maxModelLength, chunk: 1)
            let bytesPerBlock = layouts.reduce(0) { max($0, $1.bytesPerBlock) }
            kvCacheMemory = least * Int.random(in: 2...4, using: &random) / 2 * bytesPerBlock
            speculativeTokens = [nil, 1, 3, 20].randomElement(using: &random, or: nil)
            let policies: [PrefillPolicy] = [
                .unbounded, .within(.nanoseconds(1)), .within(.milliseconds(2)), .interactive, .balanced,
            ]
            prefillPolicy = policies.randomElement(using: &random) ?? .balanced
        }

        func apply(to options: inout EngineOptions) {
            options.maxSequences = maxSequences
            options.maxBatchedTokens = maxBatchedTokens
            options.threads = threads
            options.maxModelLength = maxModelLength
            options.kvCacheMemory = kvCacheMemory
            options.kvCacheType = cacheType
            options.cachesPrefixes = cachesPrefixes
            options.prefillPolicy = prefillPolicy
            options.speculativeTokens = speculativeTokens
            options.stageLayers = stageLayers.count > 1 ? stageLayers : nil
            options.batchesInFlight = batchesInFlight
        }
    }

    private static func tokens(_ count: Int, _ config: ModelConfig, _ random: inout SeededGenerator) -> [Int32] {
        (0..<count).map { _ in Int32.random(in: 0..<Int32(config.vocabularySize), using: &random) }
    }

    /// The next turn of the conversation: prompt, reply and a few more tokens.
    private static func secondTurn(
        _ id: Int, of request: GenerationRequest, _ outcome: EngineHarness.Outcome, _ config: ModelConfig,
        _ random: inout SeededGenerator
    ) -> GenerationRequest {
        let news = tokens(Int.random(in: 1...20, using: &random), config, &random)
        return .test(
            UInt64(id), request.promptIDs + outcome.ids + news, maxTokens: Int.random(in: 1...20, using: &random),
            temperature: 0.8, seed: random.next(), logprobs: 2, ignoresEndOfSequence: true)
    }

    private static func request(
        _ id: Int, _ config: ModelConfig, longest: Int, openings: [[Int32]], _ random: inout SeededGenerator
    ) -> GenerationRequest {
        let opening = random.oneIn(2) ? openings.randomElement(using: &random, or: []) : []
        let length = Int.random(in: 1...(random.oneIn(3) ? longest : 20), using: &random)
        func token() -> Int32 { Int32.random(in: 0..<Int32(config.vocabularySize), using: &random) }
        var request = GenerationRequest.test(
            UInt64(id), opening + tokens(length, config, &random), maxTokens: Int.random(in: 1...70, using: &random),
            temperature: [0, 0.7, 1.3].randomElement(using: &random, or: 0), seed: random.next(),
            logprobs: [nil, 0, 5].randomElement(using: &random, or: nil), ignoresEndOfSequence: random.oneIn(2))
        if random.oneIn(3) { request.sampling.topK = Int.random(in: 1...50, using: &random) }
        if random.oneIn(3) { request.sampling.topP = Float.random(in: 0.1...1, using: &random) }
        if random.oneIn(3) { request.sampling.minP = Float.random(in: 0...0.2, using: &random) }
        if random.oneIn(3) { request.sampling.repetitionPenalty = Float.random(in: 0.5...2, using: &random) }
        if random.oneIn(3) { request.sampling.frequencyPenalty = Float.random(in: -2...2, using: &random) }
        if random.oneIn(3) { request.sampling.presencePenalty = Float.random(in: -2...2, using: &random) }
        if random.oneIn(3) { request.sampling.minTokens = Int.random(in: 1...8, using: &random) }
        request.sampling.choice = Int.random(in: 0...2, using: &random)
        if random.oneIn(3) {
            request.sampling.logitBias = Set((0..<5).map { _ in token() }).sorted().map {
                LogitBias(id: $0, bias: Float.random(in: -20...20, using: &random))
            }
        }
        if random.oneIn(3) { request.stop.strings = ["e", "1a", "\u{FFFD}"] }
        if random.oneIn(4) { request.stop.tokenIDs = Set((0..<10).map { _ in token() }) }
        request.stop.keepsStopText = random.oneIn(2)
        if random.oneIn(3) { request.priority = Int.random(in: -1...1, using: &random) }
        if random.oneIn(3) { request.tenant = "other" }
        return request
    }

    /// The requests in order, split at random.
    private static func waves(
        _ requests: [GenerationRequest], _ random: inout SeededGenerator
    ) -> [[GenerationRequest]] {
        var waves: [[GenerationRequest]] = [[]]
        for request in requests {
            if random.oneIn(3) { waves.append([]) }
            waves[waves.count - 1].append(request)
        }
        return waves.filter { !$0.isEmpty }
    }

    private static func aborts(
        of requests: [GenerationRequest], _ random: inout SeededGenerator
    ) -> [SequenceID: Int] {
        var aborts: [SequenceID: Int] = [:]
        for request in requests where random.oneIn(4) {
            aborts[request.id] = Int.random(in: 1...request.maxTokens, using: &random)
        }
        return aborts
    }
}

extension Array {
    fileprivate func randomElement(using random: inout SeededGenerator, or fallback: Element) -> Element {
        randomElement(using: &random) ?? fallback
    }
}
