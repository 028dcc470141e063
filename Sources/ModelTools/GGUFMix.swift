import Checkpoints

/// The types that llama.cpp's `llama-quantize` chooses for a model's tensors (`llama_tensor_get_type` in its `llama-quant.cpp`).
enum GGUFMix {
    case q40, q4KM

    /// The number of this mix in `general.file_type`.
    var fileType: Int {
        switch self {
        case .q40: 2
        case .q4KM: 15
        }
    }

    /// Returns the type of a tensor.
    ///
    /// - Parameters:
    ///   - name: the name in the file, such as `blk.3.ffn_down_exps.weight`.
    ///   - shape: the row-major shape.
    func type(of name: String, shape: [Int], in config: ModelConfig) -> GGUFType {
        let parts = name.split(separator: ".")
        guard shape.count > 1, let columns = shape.last, let kind = parts.dropLast().last,
            kind != "ffn_gate_inp"
        else { return .float32 }
        let layer = parts.count == 4 ? Int(parts[1]) ?? 0 : 0
        return fitted(type(of: kind, layer: layer, config), columns: columns)
    }

    private func type(of kind: Substring, layer: Int, _ config: ModelConfig) -> GGUFType {
        let usual: GGUFType = self == .q40 ? .q40 : .q4K
        // llama.cpp treats every model with eight experts like Mixtral.
        let isMixtral = config.experts == 8
        switch kind {
        case "output": return .q6K
        case "token_embd": return config.tiesEmbeddings ? .q6K : usual
        case "attn_v" where isMixtral, "attn_k" where isMixtral: return .q80
        case "attn_output" where isMixtral && self == .q4KM: return .q5K
        case "attn_v", "ffn_down", "ffn_down_exps", "ffn_down_shexp":
            return self == .q4KM && Self.hasMoreBits(layer, of: config.layers) ? .q6K : usual
        default: return usual
        }
    }

    /// Returns whether a layer gets more bits: the first and the last eighth of the layers, and every third layer between them.
    private static func hasMoreBits(_ layer: Int, of layers: Int) -> Bool {
        layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
    }

    /// Returns `type`, or another type if the blocks of `type` do not fit the columns; bfloat16 if no type fits.
    private func fitted(_ type: GGUFType, columns: Int) -> GGUFType {
        let smaller: [GGUFType: GGUFType] = [.q4K: .q50, .q5K: .q51, .q6K: .q80]
        let candidates = [type] + [smaller[type]].compactMap(\.self)
        return candidates.first { columns.isMultiple(of: $0.blockColumns) } ?? .bfloat16
    }
}
