import Foundation
import TestSupport
import Testing

@testable import Checkpoints
@testable import Engine

/// A model whose layers are divided among ranks gives the same bits as in one process.
@Suite struct RankVectorTests {
    private static let cases = [
        "a_base", "b1_nomup_tied_shared2", "b2_no_route_norm", "b3_groups", "c_odd_sharded", "c2_layer_types", "d_long",
        "e_bf16", "f1_fp8_ct_channel", "f2_fp8_ct_tensor", "f3_fp8_ct_block", "f4_fp8_ds_block_ragged", "g_yarn",
        "gguf_bf16_pattern", "gguf_f16_tied", "gguf_iq4_xs", "gguf_legacy_mix", "gguf_mxfp4", "gguf_q4_0",
        "gguf_q4_k_m", "gguf_q8_0_split", "f5_w4a16", "ct_w4a16_g32", "ct_w4a16_g128", "ct_w4a16_channel",
        "ct_w4a16_asym_g32", "ct_w8a16_g32", "ct_nvfp4", "ct_mxfp4", "modelopt_nvfp4", "awq_g32", "gptq_g32",
    ]

    @Test(arguments: cases)
    func `ids and log-probabilities of the model vectors are those of one process`(name: String) async throws {
        let model = try ModelCase(name)
        var requests: [GenerationRequest] = []
        for prompt in model.prompts {
            var request = GenerationRequest.test(
                UInt64(requests.count + 1), prompt.promptIDs, maxTokens: prompt.greedyIDs.count, logprobs: 5,
                ignoresEndOfSequence: true)
            if requests.isEmpty { request.promptLogprobs = 3 }
            requests.append(request)
        }
        var expected: [EngineHarness.Outcome] = []
        for ranks in [1, 2, min(4, model.config.layers)] {
            let harness = EngineHarness(model.directory, ranks: ranks) { options in
                options.maxSequences = 4
                options.maxBatchedTokens = ranks == 2 ? 7 : 512
                options.threads = ranks == 4 ? 1 : 2
                options.speculativeTokens = ranks == 4 ? 3 : nil
                options.kvCacheMemory = 64 << 20
                options.batchesInFlight = ranks == 2 ? 3 : nil
            }
            let loaded = try await harness.ready()
            let (outcomes, statistics) = await harness.run(requests)
            await harness.stop()
            #expect(loaded.config.layers == model.config.layers)
            #expect(statistics.holdsNothing)
            if expected.isEmpty { expected = outcomes }
            #expect(outcomes == expected, "\(ranks) ranks")
        }
        #expect(expected.map(\.ids) == model.prompts.map(\.greedyIDs))
    }

    @Test(arguments: [2, 3, 4])
    func `embeddings are those of one process`(ranks: Int) async throws {
        let model = try ModelCase("a_base")
        let requests = (1...5).map { id in
            var request = GenerationRequest.test(UInt64(id), (0..<id * 9).map { Int32($0 * 7 % 200) }, maxTokens: 0)
            request.embedsPrompt = true
            return request
        }
        var results: [[EngineHarness.Outcome]] = []
        for count in [1, ranks] {
            let harness = EngineHarness(model.directory, ranks: count) { $0.maxBatchedTokens = 64 }
            _ = try await harness.ready()
            results.append(await harness.run(requests).0)
            await harness.stop()
        }
        #expect(results[0].allSatisfy { $0.embedding != nil })
        #expect(results[0] == results[1])
    }

    @Test func `a stage reads the tensors of its layers only`() throws {
        let (config, checkpoint) = try ModelCase("a_base").checkpoint()
        let stages = Stage.stages(layerCounts: [1, 1, config.layers - 2])
        func load(_ checkpoint: Checkpoint, _ stage: Stage?) throws -> ModelWeights {
            try ModelWeights(
                checkpoint: checkpoint, config: config, stage: stage, pool: .single, kernels: .best(.exact))
        }
        let whole = try load(checkpoint, nil)
        #expect(try stages.map { try load(checkpoint, $0).bytes }.reduce(0, +) == whole.bytes)
        // A tensor that is read and not finite is refused.
        for (tensor, owner) in [("lm_head.weight", 0), ("model.layers.1.self_attn.k_proj.weight", 1)] {
            let model = try NotANumberTests.damaged(tensor, first: 0, count: 1, value: .nan)
            let damaged = try Checkpoint(directory: model.directory, config: config, quantization: nil)
            for stage in stages {
                if stage.rank == owner {
                    #expect(throws: CheckpointError.self) { try load(damaged, stage) }
                } else {
                    _ = try load(damaged, stage)
                }
            }
        }
    }
}
