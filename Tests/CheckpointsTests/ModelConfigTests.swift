import Foundation
import JSON
import TestSupport
import Testing

@testable import Checkpoints

struct ModelConfigTests {
    @Test func `an empty object takes every default`() throws {
        let config = try ModelConfig(parsing: [:])
        #expect(config.vocabularySize == 200_192)
        #expect(config.hiddenSize == 2048)
        #expect(config.intermediateSize == 6144)
        #expect(config.expertIntermediateSize == 1408)
        #expect(config.layers == 32)
        #expect(config.layerTypes.indices.filter { config.layerTypes[$0] == .full } == [3, 7, 11, 15, 19, 23, 27, 31])
        #expect(config.denseLayers == 1)
        #expect(config.attentionHeads == 16)
        #expect(config.keyValueHeads == 16)
        #expect(config.headDimension == 128)
        #expect(config.experts == 64)
        #expect(config.expertsPerToken == 6)
        #expect(config.sharedExperts == 2)
        #expect(config.scoreFunction == .sigmoid)
        #expect(config.normalizesRoutes)
        #expect(config.routeScale == 1)
        #expect(config.expertGroups == 1)
        #expect(config.topGroups == 1)
        #expect(config.slidingWindow == 1024)
        #expect(config.maxPositions == 16384)
        #expect(config.rope == RoPEConfig(theta: 10_000))
        #expect(config.normEpsilon == 1e-5)
        #expect(!config.scalesEmbeddings)
        #expect(!config.tiesEmbeddings)
        #expect(config.endOfSequenceIDs.isEmpty)
        #expect(config.bosID == nil)
    }

    @Test func `a null member counts as absent`() throws {
        #expect(
            try ModelConfig(parsing: ["num_key_value_heads": nil, "layer_types": nil, "rope_scaling": nil])
                == ModelConfig(parsing: [:]))
    }

    @Test func `both styles of a config file are read`() throws {
        let old = try config("a_base")
        #expect(old.layerTypes == [.sliding, .sliding, .sliding, .full, .sliding, .sliding, .sliding, .full])
        #expect(old.rope == RoPEConfig(theta: 10_000))
        #expect(old.routeScale == 2.826)
        #expect(old.scalesEmbeddings)
        #expect(old.endOfSequenceIDs == [255])
        #expect(old.bosID == 0)

        let new = try config("c2_layer_types")
        #expect(new.layerTypes == [.full, .sliding, .full, .full, .sliding])
        #expect(new.rope == RoPEConfig(theta: 1000))
        #expect(new.denseLayers == 0)
        #expect(new.normEpsilon == 3e-3)
    }

    @Test func `without layer types every nth layer is global`() throws {
        #expect(try config("c_odd_sharded").layerTypes == [.sliding, .sliding, .full, .sliding, .sliding])
    }

    @Test(
        arguments: [
            ("vocab_size", 0), ("hidden_size", -1), ("intermediate_size", 0),
            ("moe_intermediate_size", 1_099_511_627_776),
            ("num_hidden_layers", 0), ("num_dense_layers", 33), ("num_attention_heads", 0), ("num_key_value_heads", 3),
            ("num_key_value_heads", 17), ("head_dim", 7), ("head_dim", 0), ("num_experts", 0),
            ("num_experts_per_tok", 0),
            ("num_experts_per_tok", 65), ("num_shared_experts", -1), ("n_group", 3), ("n_group", 64), ("topk_group", 2),
            ("sliding_window", 0), ("max_position_embeddings", 0), ("global_attn_every_n_layers", 0),
            ("eos_token_id", -1), ("bos_token_id", 2_147_483_648), ("hidden_size", "64"), ("route_scale", 0),
            ("rms_norm_eps", 0), ("rope_theta", 1), ("mup_enabled", 1), ("layer_types", ["full_attention"]),
            ("rope_scaling", ["type": "linear"]), ("rope_scaling", 4),
            ("rope_scaling", ["rope_type": "yarn", "factor": 2, "beta_fast": 1, "beta_slow": 2]),
        ] as [(String, JSONValue)])
    func `a value outside its bound is refused with its key`(key: String, value: JSONValue) throws {
        var json: JSONObject = ["num_hidden_layers": 32]
        json[key] = value
        let error = try #require(throws: ModelConfigError.self) { try ModelConfig(parsing: .object(json)) }
        guard case .invalid(let named, _, let expected) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(named.hasPrefix(key))
        #expect(!expected.isEmpty)
        #expect(error.description.contains(key))
    }

    @Test func `an unknown layer type is named with its place`() throws {
        let error = try #require(throws: ModelConfigError.self) {
            try ModelConfig(parsing: ["layer_types": ["full_attention", "chunked_attention"]])
        }
        #expect(error.description.contains("layer_types[1]"))
        #expect(error.description.contains("chunked_attention"))
    }

    @Test(
        arguments: [
            ("architectures", ["LlamaForCausalLM"]), ("model_type", "llama"), ("hidden_act", "gelu"),
            ("attention_bias", true), ("score_func", "tanh"),
        ] as [(String, JSONValue)])
    func `another kind of model is refused with its name`(key: String, value: JSONValue) throws {
        var json = JSONObject()
        json[key] = value
        let error = try #require(throws: ModelConfigError.self) { try ModelConfig(parsing: .object(json)) }
        guard case .unsupported(key, _, _) = error else {
            Issue.record("\(error)")
            return
        }
    }

    @Test(
        arguments: [
            ("attn_logit_softcapping", 50.0), ("final_logit_softcapping", 30), ("router_logit_softcap", 1),
            ("embedding_multiplier", 12), ("residual_multiplier", 0.22), ("logits_multiplier", -1),
            ("attention_multiplier", 0.5), ("logits_scaling", 8), ("logit_scale", 0.0625), ("num_limited_groups", 2),
            ("num_expert_groups", 4), ("mlp_bias", true), ("lm_head_bias", true), ("attention_out_bias", true),
            ("partial_rotary_factor", 0.5), ("rope_parameters", ["rope_theta": 1e4, "partial_rotary_factor": 0.5]),
            ("rope_parameters", ["sliding_attention": ["rope_theta": 1e4]]), ("norm_topk_prob", false),
            ("routed_scaling_factor", 2.5), ("scoring_func", "softmax"), ("use_qk_norm", false),
            ("use_sliding_window", false), ("hidden_activation", "gelu"), ("query_pre_attn_scalar", 256),
            ("n_routed_experts", 8), ("first_k_dense_replace", 3), ("no_rope_layers", [1, 1]), ("clip_qkv", 8),
            ("rope_local_base_freq", 1e4), ("parallel_attn", true), ("embedding_multiplier", "1"), ("alibi", 1),
        ] as [(String, JSONValue)])
    func `a key that would change the arithmetic is refused with its name`(key: String, value: JSONValue) throws {
        var json = JSONObject()
        json[key] = value
        let error = try #require(throws: ModelConfigError.self) { try ModelConfig(parsing: .object(json)) }
        guard case .unsupported(let named, _, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(named.hasPrefix(key))
    }

    @Test(
        arguments: [
            ("attn_logit_softcapping", nil), ("final_logit_softcapping", 0), ("embedding_multiplier", 1.0),
            ("attention_multiplier", 0.08838834764831845), ("num_limited_groups", 1), ("mlp_bias", false),
            ("partial_rotary_factor", 1), ("norm_topk_prob", true), ("use_qk_norm", true), ("n_routed_experts", 64),
            ("no_rope_layers", []), ("clip_qkv", nil), ("transformers_version", "5.0"), ("use_cache", true),
            ("attention_dropout", 0.1), ("architectures", ["AfmoeForCausalLM"]),
        ] as [(String, JSONValue)])
    func `a key without effect is accepted silently`(key: String, value: JSONValue) throws {
        var json = JSONObject()
        json[key] = value
        #expect(try ModelConfig(parsing: .object(json)) == ModelConfig(parsing: [:]))
    }

    @Test func `unknown keys are reported by name`() throws {
        let config = try ModelConfig(parsing: [
            "use_warp_drive": true, "hidden_size": 64, "my_note": nil, "colour": "blue",
            "rope_scaling": ["type": "linear", "factor": 2, "flavour": 1],
        ])
        #expect(config.unknownKeys == ["use_warp_drive", "colour", "rope_scaling.flavour"])
    }

    @Test(arguments: [
        "a_base", "b1_nomup_tied_shared2", "b2_no_route_norm", "b3_groups", "c_odd_sharded", "c2_layer_types", "d_long",
        "e_bf16", "f1_fp8_ct_channel", "f2_fp8_ct_tensor", "f3_fp8_ct_block", "f4_fp8_ds_block_ragged", "g_yarn",
    ])
    func `every key of a fixture is known`(name: String) throws {
        #expect(try config(name).unknownKeys.isEmpty)
        #expect(try config(name).tensorCount == config(name).expectedTensors.count)
    }

    @Test func `every key of the chat model is known`() throws {
        #expect(try ModelConfig(directory: Fixtures.chatModel).unknownKeys.isEmpty)
    }

    @Test(
        arguments: [
            ["num_hidden_layers": 1024, "num_experts": 1024],
            [
                "num_hidden_layers": 1024, "hidden_size": 16_777_216, "intermediate_size": 16_777_216,
                "num_dense_layers": 1024,
            ],
            ["vocab_size": 16_777_216, "hidden_size": 16_777_216],
            [
                "vocab_size": 16_777_216, "hidden_size": 16_777_216, "intermediate_size": 16_777_216,
                "moe_intermediate_size": 16_777_216, "num_hidden_layers": 1024, "num_attention_heads": 16_384,
                "num_key_value_heads": 16_384, "head_dim": 16_384, "num_experts": 1024, "num_shared_experts": 1024,
            ],
        ] as [JSONValue])
    func `sizes that are too large together are refused before any allocation`(json: JSONValue) throws {
        let error = try #require(throws: ModelConfigError.self) { try ModelConfig(parsing: json) }
        guard case .invalid(_, _, let expected) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(expected.hasPrefix("at most"))
    }

    @Test func `an unknown kind of rope scaling is refused with its name`() throws {
        let error = try #require(throws: ModelConfigError.self) {
            try ModelConfig(parsing: ["rope_scaling": ["type": "longrope", "factor": 2]])
        }
        #expect(error.description.contains("rope_scaling.type"))
        #expect(error.description.contains("longrope"))
    }

    @Test func `groups must hold enough experts`() throws {
        #expect(try config("b3_groups").expertGroups == 4)
        #expect(try config("b3_groups").topGroups == 2)
        #expect(throws: ModelConfigError.self) {
            try ModelConfig(parsing: ["num_experts": 16, "num_experts_per_tok": 5, "n_group": 4, "topk_group": 1])
        }
    }

    @Test func `a linear scaling keeps its factor`() throws {
        let config = try ModelConfig(parsing: ["rope_theta": 5e5, "rope_scaling": ["type": "linear", "factor": 4]])
        #expect(config.rope == RoPEConfig(theta: 5e5, scaling: .linear(factor: 4)))
    }

    @Test(
        arguments: [
            ([:], 0.1 * 2.0794415416798357 + 1),
            (["attention_factor": 1.25], 1.25),
            (["mscale": 2, "mscale_all_dim": 1], (0.2 * 2.0794415416798357 + 1) / (0.1 * 2.0794415416798357 + 1)),
            (["mscale": 2], 0.1 * 2.0794415416798357 + 1),
            (["factor": 1], 1),
        ] as [(JSONValue, Double)])
    func `the attention factor of YaRN is given, a ratio or computed`(extra: JSONValue, expected: Double) throws {
        var scaling: JSONObject = ["rope_type": "yarn", "factor": 8, "original_max_position_embeddings": 32]
        for (name, value) in try #require(extra.object) { scaling[name] = value }
        let config = try ModelConfig(parsing: ["rope_parameters": .object(scaling)])
        guard case .yarn(_, 32, 32, 1, true, let attentionFactor) = config.rope.scaling else {
            Issue.record("\(config.rope)")
            return
        }
        #expect(abs(attentionFactor - expected) < 1e-12)
    }

    @Test func `the YaRN fixture is read`() throws {
        guard case .yarn(8, 32, 32, 1, true, let attentionFactor) = try config("g_yarn").rope.scaling else {
            Issue.record("not YaRN")
            return
        }
        #expect(attentionFactor > 1.2 && attentionFactor < 1.21)
    }

    @Test func `a folder without a config is an error that names the file`() throws {
        let error = try #require(throws: ModelConfigError.self) { try ModelConfig(directory: Fixtures.root) }
        #expect(error.description.contains("config.json"))
    }

    @Test(arguments: ["a_base", "c2_layer_types", "g_yarn", "f1_fp8_ct_channel", "f4_fp8_ds_block_ragged"])
    func `a config damaged anywhere is read or refused, never a crash`(name: String) throws {
        let values: [JSONValue] = [
            nil, true, "", "x", [], [nil], [-1], [:], ["rope_type": "yarn"], -1, 0, 1, 3, 1.5, 1e308, -1e308, 1e-300,
            .integer(.max), .integer(.min), .bigInteger("99999999999999999999"),
        ]
        let whole = try Fixtures.json("model/\(name)/config.json")
        var (read, refused) = (0, 0)
        for key in try #require(whole.object).names {
            for damaged in try Self.damage(#require(whole.object), key: key, values: values) {
                let config: ModelConfig
                do {
                    config = try ModelConfig(parsing: damaged)
                } catch {
                    refused += 1
                    continue
                }
                read += 1
                #expect(config.layers >= 1 && config.keyValueHeads >= 1 && config.slidingWindow >= 1)
                #expect(config.rope.theta.isFinite && config.normEpsilon > 0)
                _ = try? QuantizationConfig(parsing: damaged)
                _ = try? GenerationConfig(parsing: damaged)
            }
        }
        #expect(read > 100 && refused > 100, "\(read) read, \(refused) refused")
    }

    /// `object` with `key` replaced by each of `values`, and likewise each member of an object under `key`.
    private static func damage(_ object: JSONObject, key: String, values: [JSONValue]) throws -> [JSONValue] {
        var replacements = values
        if let inner = object[key]?.object {
            for name in inner.names { replacements += try damage(inner, key: name, values: values) }
        }
        return replacements.map { value in
            var damaged = object
            damaged[key] = value
            return .object(damaged)
        }
    }

    private func config(_ name: String) throws -> ModelConfig {
        try ModelConfig(directory: Fixtures.root.appending(path: "model/\(name)"))
    }
}
