import JSON

/// The members of `config.json` that the parser does not use.
///
/// Wrong arithmetic produces bad text without an error. Therefore a member that is known to change the arithmetic is rejected,
/// unless its value means what the forward pass does anyway. Unknown members are only reported: most of them are for training or
/// for other programs.
struct ConfigKeys {
    /// The values of a member for which the forward pass is correct; null is always accepted.
    enum Neutral {
        case bool(Bool)
        case number(Double)
        case string(String)
        /// Zero or false: the member is off.
        case off
        /// An empty list or object, or a list of zeros.
        case empty
        case none

        func allows(_ value: JSONValue) -> Bool {
            switch self {
            case .bool(let expected): value.bool == expected
            case .number(let expected): value.double.map { abs($0 - expected) <= 1e-6 * abs(expected) } ?? false
            case .string(let expected): value.string == expected
            case .off: value.double == 0 || value.bool == false
            case .empty:
                value.object?.isEmpty ?? value.array.map { $0.allSatisfy { $0.double == 0 } } ?? (value.bool == false)
            case .none: false
            }
        }

        var description: String {
            switch self {
            case .bool(let expected): "\(expected)"
            case .number(let expected): "\(expected)"
            case .string(let expected): expected
            case .off: "null or 0"
            case .empty: "null or empty"
            case .none: "null"
            }
        }
    }

    /// Members whose values have no effect on the forward pass.
    private static let inert: Set<String> = [
        // The author of the file and the classes that load it.
        "architectures", "model_type", "auto_map", "dtype", "torch_dtype", "transformers_version", "_name_or_path",
        "name_or_path", "_commit_hash", "_attn_implementation", "attn_implementation", "tokenizer_class", "torchscript",
        "unsloth_version", "unsloth_fixed",
        // Training.
        "initializer_range", "attention_dropout", "hidden_dropout", "dropout", "embd_pdrop", "resid_pdrop",
        "load_balance_coeff", "router_aux_loss_coef", "aux_loss_alpha", "seq_aux", "output_router_logits",
        "router_jitter_noise", "router_z_loss_coef", "gradient_checkpointing", "pretraining_tp", "problem_type",
        // Return values and caches of other programs.
        "use_cache", "use_grouped_mm", "output_attentions", "output_hidden_states", "return_dict", "use_return_dict",
        "id2label", "label2id", "num_labels", "is_decoder", "is_encoder_decoder", "chunk_size_feed_forward",
        "pruned_heads", "task_specific_params", "finetuning_task", "use_flash_attn", "use_flash_attention",
        // Token ids and generation defaults.
        "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "decoder_start_token_id",
        "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_length", "max_new_tokens", "do_sample",
        "num_beams",
        // Additional heads, which this server does not use; their tensors are rejected, if there are any.
        "num_nextn_predict_layers", "num_mtp_layers",
    ]

    /// Members that `ModelConfig` and `QuantizationConfig` read.
    static let read: Set<String> = [
        "vocab_size", "hidden_size", "intermediate_size", "moe_intermediate_size", "num_hidden_layers",
        "num_dense_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_act",
        "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "rope_parameters", "rope_theta",
        "rope_scaling", "num_experts", "num_experts_per_tok", "num_shared_experts", "route_scale", "route_norm",
        "score_func", "n_group", "topk_group", "global_attn_every_n_layers", "sliding_window", "layer_types",
        "mup_enabled", "attention_bias", "quantization_config",
    ]

    /// Members of other model families that change the arithmetic or a size, with their neutral values.
    private static func known(_ config: ModelConfig) -> [String: Neutral] {
        let headDimension = Double(config.headDimension)
        let score = config.scoreFunction == .sigmoid ? "sigmoid" : "softmax"
        return [
            "hidden_activation": .string("silu"), "activation_function": .string("silu"),
            "mlp_hidden_act": .string("silu"),
            "logit_scale": .number(1), "logits_scaling": .number(1), "logits_scale": .number(1),
            "scale_emb": .number(1),
            "embedding_scale": .number(1), "scale_depth": .none, "dim_model_base": .none, "swiglu_limit": .off,
            "clip_qkv": .off, "qk_clip": .off, "attn_temperature_tuning": .off, "attention_chunk_size": .off,
            "attention_multiplier": .number(1 / headDimension.squareRoot()), "attention_scale": .none,
            "query_pre_attn_scalar": .number(headDimension), "scale_attn_weights": .bool(true),
            "attention_sinks": .off, "use_attention_sinks": .off, "attn_sink": .off,
            "partial_rotary_factor": .number(1), "rotary_pct": .number(1), "rotary_dim": .number(headDimension),
            "rope_interleave": .bool(false), "rope_interleaved": .bool(false), "use_rope": .bool(true),
            "no_rope_layers": .empty, "no_rope_layer_interval": .none, "alibi": .bool(false), "use_alibi": .bool(false),
            "qk_norm": .bool(true), "use_qk_norm": .bool(true), "qk_layernorm": .bool(true),
            "use_sliding_window": .bool(true), "use_attention_gate": .bool(true), "gated_attention": .bool(true),
            "use_bias": .bool(false), "bias": .bool(false), "lm_head_bias": .bool(false),
            "add_bias_linear": .bool(false),
            "parallel_attn": .bool(false), "use_parallel_residual": .bool(false),
            "apply_residual_connection_post_layernorm": .bool(false), "zero_centered_norm": .bool(false),
            "add_unit_offset": .bool(false), "use_mup": .bool(config.scalesEmbeddings),
            "num_expert_groups": .number(Double(config.expertGroups)),
            "num_limited_groups": .number(Double(config.topGroups)),
            "norm_topk_prob": .bool(config.normalizesRoutes),
            "routed_scaling_factor": .number(Double(config.routeScale)),
            "scoring_func": .string(score), "moe_router_activation_func": .string(score),
            "router_activation_func": .string(score), "n_routed_experts": .number(Double(config.experts)),
            "num_local_experts": .number(Double(config.experts)),
            "n_shared_experts": .number(Double(config.sharedExperts)),
            "first_k_dense_replace": .number(Double(config.denseLayers)), "moe_layer_freq": .number(1),
            "decoder_sparse_step": .number(1), "use_expert_bias": .bool(true), "rope_local_base_freq": .none,
            "local_rope_theta": .none, "global_rope_theta": .none, "rope_traditional": .bool(false),
            "mlp_only_layers": .empty, "num_zero_experts": .off,
        ]
    }

    /// Returns the neutral value of a member that is recognized by a part of its name, in any model family.
    private static func neutral(ofKind name: String) -> Neutral? {
        if name.contains("softcap") || name.contains("soft_cap") { return .off }
        if name.hasSuffix("_multiplier") || name.hasSuffix("_multipliers") { return .number(1) }
        if name.hasSuffix("_bias") { return .bool(false) }
        return nil
    }

    /// Checks all members of `config.json` that `config` does not use.
    ///
    /// - Returns: the names of unknown members, in the file's order.
    /// - Throws: `ModelConfigError.unsupported` for the first member that would change the arithmetic.
    static func check(_ reader: ConfigReader, of config: ModelConfig) throws(ModelConfigError) -> [String] {
        let known = known(config)
        var unknown: [String] = []
        for (name, _) in reader.members where !read.contains(name) && !inert.contains(name) {
            guard let value = reader.value(name) else { continue }
            guard let neutral = known[name] ?? neutral(ofKind: name) else {
                unknown.append(name)
                continue
            }
            // Older names of the groups. The newer names, which Transformers also writes, are used.
            let isUngrouped = (name == "num_expert_groups" || name == "num_limited_groups") && value.double == 1
            guard neutral.allows(value) || isUngrouped else {
                throw reader.unsupported(name, supported: neutral.description)
            }
        }
        return unknown
    }
}
