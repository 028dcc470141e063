/// Maps the Hugging Face names of a model's tensors to their places in a GGUF file.
package struct GGUFNames {
    /// A tensor, or a part of a tensor that combines several matrices.
    struct Place {
        /// The name without a suffix.
        var name: String
        /// The accepted suffixes: `.weight`, or those of a bias.
        var suffixes = [".weight"]
        /// The index of the matrix in a tensor, and the number of matrices.
        var expert: (index: Int, count: Int)?
        /// The rows of this part in each matrix of the tensor, and the number of rows of a matrix; `nil` if the part has all
        /// rows.
        var rows: (part: Range<Int>, total: Int)?

        /// Returns the shape of the tensor that contains a part with this shape.
        func shape(of part: [Int]) -> [Int] {
            var shape = part
            if let rows { shape[0] = rows.total }
            return expert.map { [$0.count] + shape } ?? shape
        }
    }

    private let config: ModelConfig

    package init(_ config: ModelConfig) {
        self.config = config
    }

    private static let outside = [
        "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    ]

    /// Names in a layer.
    private static let inside = [
        "input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
        "pre_mlp_layernorm": "ffn_norm", "post_mlp_layernorm": "post_ffw_norm",
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.gate_proj": "attn_gate", "self_attn.o_proj": "attn_output",
        "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
        "mlp.router.gate": "ffn_gate_inp",
        "mlp.shared_experts.gate_proj": "ffn_gate_shexp", "mlp.shared_experts.up_proj": "ffn_up_shexp",
        "mlp.shared_experts.down_proj": "ffn_down_shexp",
    ]

    /// Returns the possible places of the tensor with a Hugging Face name, the usual one first.
    func places(of name: String) -> [Place] {
        let module = name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : name
        if let outside = Self.outside[module] { return [Place(name: outside)] }
        let parts = module.split(separator: ".", maxSplits: 3)
        guard parts.count == 4, parts[1] == "layers" else { return [] }
        let layer = "blk.\(parts[2])"
        let inner = String(parts[3])
        if inner == "mlp.expert_bias" {
            return [Place(name: "\(layer).exp_probs_b", suffixes: [".bias", ".weight"])]
        }
        if let known = Self.inside[inner] { return [Place(name: "\(layer).\(known)")] + fused(inner, layer) }
        let words = inner.split(separator: ".")
        guard words.count == 4, words[1] == "experts", let expert = Int(words[2]) else { return [] }
        let kind = words[3].dropLast("_proj".count)
        let matrix = (index: expert, count: config.experts)
        var places = [Place(name: "\(layer).ffn_\(kind)_exps", expert: matrix)]
        let width = config.expertIntermediateSize
        if kind != "down" {
            let part = kind == "gate" ? 0..<width : width..<2 * width
            places.append(Place(name: "\(layer).ffn_gate_up_exps", expert: matrix, rows: (part, 2 * width)))
        }
        return places
    }

    /// Returns the tensor of a usual file that contains the expected tensor.
    package func tensor(of expected: ExpectedTensor) -> (name: String, shape: [Int])? {
        guard let place = places(of: expected.name).first, let suffix = place.suffixes.first else { return nil }
        return (place.name + suffix, place.shape(of: expected.shape))
    }

    /// Returns the place in a combined tensor: files for llama.cpp may have queries, keys and values in one tensor.
    private func fused(_ inner: String, _ layer: String) -> [Place] {
        let queries = config.attentionHeads * config.headDimension
        let keys = config.keyValueHeads * config.headDimension
        let part: Range<Int>
        switch inner {
        case "self_attn.q_proj": part = 0..<queries
        case "self_attn.k_proj": part = queries..<queries + keys
        case "self_attn.v_proj": part = queries + keys..<queries + 2 * keys
        default: return []
        }
        return [Place(name: "\(layer).attn_qkv", rows: (part, queries + 2 * keys))]
    }
}
