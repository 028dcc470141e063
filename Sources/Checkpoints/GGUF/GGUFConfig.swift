import JSON

/// Converts the metadata of a GGUF file to the equivalent members of `config.json` and `generation_config.json`, so that one
/// parser checks both.
///
/// The architecture implies that embeddings are scaled, that layers have no biases, and that all layers but every fourth have
/// positions.
struct GGUFConfig {
    private let metadata: [String: GGUFValue]
    private let hasHead: Bool
    private static let prefix = "afmoe."

    /// - Parameter file: a file with the architecture afmoe.
    init(_ file: GGUFFile) {
        self.init(file.metadata, hasHead: file.tensors["output.weight"] != nil)
    }

    /// - Parameter hasHead: whether the LM head has weights of its own.
    init(_ metadata: [String: GGUFValue], hasHead: Bool) {
        self.metadata = metadata
        self.hasHead = hasHead
    }

    /// A member of `config.json` and the GGUF key with the same meaning.
    private struct Member {
        var name: String
        var key: String
        /// The default; `nil` if the key is required.
        var standard: JSONValue?
    }

    private static let members: [Member] = [
        Member(name: "num_hidden_layers", key: "block_count"),
        Member(name: "max_position_embeddings", key: "context_length"),
        Member(name: "hidden_size", key: "embedding_length"),
        Member(name: "intermediate_size", key: "feed_forward_length"),
        Member(name: "num_attention_heads", key: "attention.head_count"),
        Member(name: "num_key_value_heads", key: "attention.head_count_kv", standard: .null),
        Member(name: "rms_norm_eps", key: "attention.layer_norm_rms_epsilon"),
        Member(name: "num_experts", key: "expert_count"),
        Member(name: "num_experts_per_tok", key: "expert_used_count"),
        Member(name: "moe_intermediate_size", key: "expert_feed_forward_length"),
        Member(name: "num_shared_experts", key: "expert_shared_count"),
        Member(name: "num_dense_layers", key: "leading_dense_block_count", standard: 0),
        Member(name: "n_group", key: "expert_group_count", standard: 1),
        Member(name: "topk_group", key: "expert_group_used_count", standard: 1),
        Member(name: "route_norm", key: "expert_weights_norm", standard: false),
        Member(name: "route_scale", key: "expert_weights_scale", standard: 1),
        Member(name: "sliding_window", key: "attention.sliding_window", standard: 0),
        Member(name: "rope_theta", key: "rope.freq_base", standard: 10000.0),
    ]

    /// Keys that are read individually, or have no effect.
    private static let others: Set<String> = [
        "vocab_size", "attention.key_length", "expert_gating_func", "attention.sliding_window_pattern",
        "rope.freq_base_swa", "rope.scaling.type", "rope.scaling.finetuned", "tensor_data_layout",
    ]

    /// Keys that must have the same value as `attention.key_length`.
    private static let headDimensions = [
        "attention.value_length", "attention.key_length_swa", "attention.value_length_swa", "rope.dimension_count",
        "rope.dimension_count_swa",
    ]

    /// Keys whose other values would change the arithmetic. For `yarn_ext_factor`, other programs write -1 if the factor is
    /// unknown.
    private static let neutral: [(key: String, values: [JSONValue])] = [
        ("attention.causal", [true]), ("rope.scale_linear", [1, 0]), ("rope.scaling.attn_factor", [1]),
        ("rope.scaling.yarn_ext_factor", [1, -1]), ("rope.scaling.yarn_log_multiplier", [0]),
        ("rope.scaling.alpha", [0]),
    ]

    /// Returns the model's shape.
    ///
    /// - Throws: `ModelConfigError`, which names the key of the metadata.
    func modelConfig() throws(ModelConfigError) -> ModelConfig {
        do throws(ModelConfigError) {
            var config = try ModelConfig(parsing: .object(try configuration()))
            config.unknownKeys = config.unknownKeys.map { keys[$0] ?? $0 }
            return config
        } catch {
            throw error.renamingKeys(keys)
        }
    }

    /// The key in the file for each member, for error messages.
    private var keys: [String: String] {
        var keys: [String: String] = [:]
        for key in metadata.keys where key.hasPrefix(Self.prefix) {
            keys[String(key.dropFirst(Self.prefix.count))] = key
        }
        for member in Self.members { keys[member.name] = Self.prefix + member.key }
        for (name, key) in [
            ("vocab_size", "vocab_size"), ("head_dim", "attention.key_length"),
            ("score_func", "expert_gating_func"), ("rope_scaling.rope_type", "rope.scaling.type"),
        ] { keys[name] = Self.prefix + key }
        for (name, key) in Self.scalingMembers { keys["rope_scaling.\(name)"] = "\(Self.prefix)rope.scaling.\(key)" }
        for name in ["bos_token_id", "eos_token_id"] { keys[name] = "tokenizer.ggml.\(name)" }
        if metadata["\(Self.prefix)rope.freq_base_swa"] != nil {
            keys["rope_theta"] = "\(Self.prefix)rope.freq_base_swa"
        }
        return keys
    }

    private func configuration() throws(ModelConfigError) -> JSONObject {
        var json: JSONObject = [
            "model_type": "afmoe", "mup_enabled": true, "tie_word_embeddings": .bool(!hasHead),
            "bos_token_id": token("bos_token_id"), "eos_token_id": token("eos_token_id"),
        ]
        for member in Self.members {
            let value = try scalar(member.key)
            guard let value = value ?? member.standard else { throw missing(member.key) }
            json[member.name] = value
        }
        json["vocab_size"] = try scalar("vocab_size") ?? .integer(metadata["tokenizer.ggml.tokens"]?.array?.count ?? 0)
        json["head_dim"] = try headDimension(json)
        json["score_func"] = try gating()
        if json["sliding_window"]?.integer == 0 {
            // No layer has a window, but the same layers have positions: use a window of all positions.
            json["sliding_window"] = json["max_position_embeddings"]
        } else {
            json["rope_theta"] = try scalar("rope.freq_base_swa") ?? json["rope_theta"]
        }
        json["rope_scaling"] = try ropeScaling()
        try checkPattern(layers: json["num_hidden_layers"]?.integer ?? 0)
        try checkNeutral()
        // The parser of config.json rejects the members that would change the arithmetic, and reports the others.
        let known = Self.others.union(
            Self.members.map(\.key) + Self.headDimensions + Self.neutral.map(\.key)
                + Self.scalingMembers.map { "rope.scaling.\($0.key)" })
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where key.hasPrefix(Self.prefix) {
            let name = String(key.dropFirst(Self.prefix.count))
            guard !known.contains(name) else { continue }
            // This member would replace the value of another key.
            guard !ConfigKeys.read.contains(name) else {
                throw .unsupported(key: key, value: value.json.text, supported: "the names of GGUF")
            }
            json[name] = value.json
        }
        return json
    }

    private func headDimension(_ json: JSONObject) throws(ModelConfigError) -> JSONValue {
        let (hidden, heads) = (json["hidden_size"]?.integer ?? 0, json["num_attention_heads"]?.integer ?? 0)
        let size = try scalar("attention.key_length") ?? .integer(hidden / max(heads, 1))
        for key in Self.headDimensions {
            if let other = try scalar(key), other.integer != size.integer {
                throw .unsupported(
                    key: Self.prefix + key, value: other.text, supported: "attention.key_length, which is \(size.text)")
            }
        }
        return size
    }

    private func gating() throws(ModelConfigError) -> JSONValue {
        switch try scalar("expert_gating_func")?.integer {
        case nil, 2: "sigmoid"
        case 1: "softmax"
        case let other?:
            throw .unsupported(
                key: Self.prefix + "expert_gating_func", value: "\(other)", supported: "1 (softmax), 2 (sigmoid)")
        }
    }

    /// Checks which layers have a window. The file has no key for the layers that have positions: other programs give positions
    /// to all layers but every fourth. So only files whose window is in the same layers mean the same everywhere.
    private func checkPattern(layers: Int) throws(ModelConfigError) {
        let key = Self.prefix + "attention.sliding_window_pattern"
        let isUsual: Bool
        switch metadata[key] {
        case nil: return
        case .integer(let period)?: isUsual = period == 4
        case .array(let array)? where array.kind == .bool:
            isUsual = array.count == layers && array.enumerated().allSatisfy { (($0 + 1) % 4 != 0) == $1.bool }
        default: isUsual = false
        }
        guard isUsual else {
            throw .unsupported(
                key: key, value: metadata[key]?.integer.map { "\($0)" } ?? "another pattern",
                supported: "a window in all layers but every fourth")
        }
    }

    private func checkNeutral() throws(ModelConfigError) {
        for (key, values) in Self.neutral {
            guard let value = try scalar(key) else { continue }
            guard values.contains(where: { value.bool == $0.bool && value.double == $0.double }) else {
                throw .unsupported(
                    key: Self.prefix + key, value: value.text, supported: values.map(\.text).joined(separator: ", "))
            }
        }
    }

    private func ropeScaling() throws(ModelConfigError) -> JSONValue {
        // A factor without a type means linear scaling, and 0 means none.
        let factor = try scalar("rope.scaling.factor")?.double ?? 0
        let type = metadata[Self.prefix + "rope.scaling.type"]?.json ?? (factor == 0 ? "none" : "linear")
        guard type.string != "none" else { return .null }
        var scaling: JSONObject = ["rope_type": type]
        for (name, key) in Self.scalingMembers { scaling[name] = try scalar("rope.scaling." + key) }
        return .object(scaling)
    }

    private static let scalingMembers: [(name: String, key: String)] = [
        ("factor", "factor"), ("original_max_position_embeddings", "original_context_length"),
        ("attention_factor", "yarn_attn_factor"), ("beta_fast", "yarn_beta_fast"), ("beta_slow", "yarn_beta_slow"),
    ]

    /// Returns a number or a boolean, or the element of an array whose elements are all equal; `nil` if the key is absent.
    private func scalar(_ key: String) throws(ModelConfigError) -> JSONValue? {
        guard let value = metadata[Self.prefix + key] else { return nil }
        guard let array = value.array else { return value.json }
        let numbers = Set(array.prefix(1 << 12).map { $0.json })
        guard array.count <= 1 << 12, numbers.count == 1, let number = numbers.first else {
            throw .unsupported(key: Self.prefix + key, value: "a list", supported: "the same for all layers")
        }
        return number
    }

    private func token(_ name: String) -> JSONValue { metadata["tokenizer.ggml.\(name)"]?.json ?? .null }

    private func missing(_ key: String) -> ModelConfigError {
        .invalid(key: Self.prefix + key, value: "missing", expected: "a value")
    }
}

extension GGUFConfig {
    /// Returns the special token ids and the default sampling parameters.
    ///
    /// - Throws: `ModelConfigError` for a value outside its range.
    func generationConfig() throws(ModelConfigError) -> GenerationConfig {
        var json = JSONObject()
        for (name, key) in [
            ("temperature", "temp"), ("top_p", "top_p"), ("top_k", "top_k"), ("min_p", "min_p"),
            ("repetition_penalty", "penalty_repeat"),
        ] { json[name] = metadata["general.sampling.\(key)"]?.json }
        json["bos_token_id"] = token("bos_token_id")
        json["pad_token_id"] = token("padding_token_id")
        let ends = endOfGeneration
        if !ends.isEmpty { json["eos_token_id"] = .array(JSONArray(ends.map { .integer($0) })) }
        do throws(ModelConfigError) {
            return try GenerationConfig(parsing: .object(json))
        } catch {
            throw error.renamingKeys(Self.generationKeys)
        }
    }

    /// The key of the metadata for each member of `generation_config.json`.
    static let generationKeys = [
        "temperature": "general.sampling.temp", "top_p": "general.sampling.top_p", "top_k": "general.sampling.top_k",
        "min_p": "general.sampling.min_p", "repetition_penalty": "general.sampling.penalty_repeat",
        "bos_token_id": "tokenizer.ggml.bos_token_id", "eos_token_id": "tokenizer.ggml.eos_token_id",
        "pad_token_id": "tokenizer.ggml.padding_token_id",
    ]

    /// The control tokens that end a turn or a text in every model that has them.
    private static let ends: Set<[UInt8]> = Set(
        ["<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>"].map { Array($0.utf8) })

    /// The ids that end a reply: the end tokens of sequence, turn and message, and the control tokens in ``ends``.
    private var endOfGeneration: [Int] {
        var ids = ["eos_token_id", "eot_token_id", "eom_token_id"].compactMap {
            metadata["tokenizer.ggml.\($0)"]?.integer
        }
        if let tokens = metadata["tokenizer.ggml.tokens"]?.array,
            let types = metadata["tokenizer.ggml.token_type"]?.array
        {
            for (id, (token, type)) in zip(tokens, types).enumerated() {
                guard case .string(let text) = token, type.integer == GGUFVocabulary.Kind.control.rawValue,
                    text.count <= 16, Self.ends.contains(Array(text)), !ids.contains(id)
                else { continue }
                ids.append(id)
            }
        }
        return ids
    }
}

extension GGUFValue {
    /// The value as JSON. A non-empty array becomes a string, which no member that changes the arithmetic accepts.
    fileprivate var json: JSONValue {
        switch self {
        case .integer(let value): .integer(value)
        case .number(let value): .double(value)
        case .bool(let value): .bool(value)
        case .string: .string(text ?? "")
        case .array(let values): values.count == 0 ? [] : "an array"
        }
    }
}

extension JSONValue {
    fileprivate var text: String { String(String(decoding: serialized, as: UTF8.self).prefix(80)) }
}

extension ModelConfigError {
    /// Returns the error with each member's name replaced by the key in the file.
    func renamingKeys(_ keys: [String: String]) -> ModelConfigError {
        switch self {
        case .invalid(let key, let value, let expected):
            .invalid(key: keys[key] ?? key, value: value, expected: expected)
        case .unsupported(let key, let value, let supported):
            .unsupported(key: keys[key] ?? key, value: value, supported: supported)
        default: self
        }
    }
}
