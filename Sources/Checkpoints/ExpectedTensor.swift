/// A tensor that an AFMoE checkpoint must contain, by its Hugging Face name.
public struct ExpectedTensor: Equatable {
    public enum Role: Equatable {
        /// A vector that is read as float32.
        case vector
        /// A matrix of a linear layer, which released FP8 checkpoints quantize.
        case linear
        /// The LM head, if it is not tied to the embeddings. Released FP8 checkpoints leave it unquantized, but it may be
        /// quantized.
        case lmHead
        /// A matrix that keeps its stored format: the embeddings or a router.
        case sensitive
    }

    public var name: String
    public var shape: [Int]
    public var role: Role

    /// Whether the matrix selects experts. Its products are exact in every mode, so it must not be quantized in groups.
    var isRouter: Bool { name.hasSuffix(".mlp.router.gate.weight") }
}

extension ModelConfig {
    /// Every tensor of a checkpoint of this model, except the scales of quantized weights.
    public var expectedTensors: [ExpectedTensor] {
        var list = TensorList()
        list.matrix("model.embed_tokens", vocabularySize, hiddenSize, .sensitive)
        for layer in 0..<layers { addLayer(layer, to: &list) }
        list.vector("model.norm.weight", hiddenSize)
        if !tiesEmbeddings { list.matrix("lm_head", vocabularySize, hiddenSize, .lmHead) }
        return list.tensors
    }

    /// The number of ``expectedTensors``. O(1).
    public var tensorCount: Int {
        let feedForward = 3
        let sparse = 2 + feedForward * (experts + (sharedExperts > 0 ? 1 : 0))
        return (tiesEmbeddings ? 2 : 3) + 11 * layers + feedForward * denseLayers + sparse * (layers - denseLayers)
    }

    private func addLayer(_ layer: Int, to list: inout TensorList) {
        let prefix = "model.layers.\(layer)"
        for norm in ["input_layernorm", "post_attention_layernorm", "pre_mlp_layernorm", "post_mlp_layernorm"] {
            list.vector("\(prefix).\(norm).weight", hiddenSize)
        }
        let queryWidth = attentionHeads * headDimension
        let keyValueWidth = keyValueHeads * headDimension
        list.matrix("\(prefix).self_attn.q_proj", queryWidth, hiddenSize)
        list.matrix("\(prefix).self_attn.k_proj", keyValueWidth, hiddenSize)
        list.matrix("\(prefix).self_attn.v_proj", keyValueWidth, hiddenSize)
        list.matrix("\(prefix).self_attn.gate_proj", queryWidth, hiddenSize)
        list.matrix("\(prefix).self_attn.o_proj", hiddenSize, queryWidth)
        list.vector("\(prefix).self_attn.q_norm.weight", headDimension)
        list.vector("\(prefix).self_attn.k_norm.weight", headDimension)

        guard layer >= denseLayers else {
            list.feedForward("\(prefix).mlp", hiddenSize, width: intermediateSize)
            return
        }
        list.matrix("\(prefix).mlp.router.gate", experts, hiddenSize, .sensitive)
        list.vector("\(prefix).mlp.expert_bias", experts)
        for expert in 0..<experts {
            list.feedForward("\(prefix).mlp.experts.\(expert)", hiddenSize, width: expertIntermediateSize)
        }
        if sharedExperts > 0 {
            list.feedForward("\(prefix).mlp.shared_experts", hiddenSize, width: expertIntermediateSize * sharedExperts)
        }
    }
}

private struct TensorList {
    var tensors: [ExpectedTensor] = []

    mutating func vector(_ name: String, _ count: Int) {
        tensors.append(ExpectedTensor(name: name, shape: [count], role: .vector))
    }

    mutating func matrix(_ module: String, _ rows: Int, _ columns: Int, _ role: ExpectedTensor.Role = .linear) {
        tensors.append(ExpectedTensor(name: "\(module).weight", shape: [rows, columns], role: role))
    }

    mutating func feedForward(_ module: String, _ hiddenSize: Int, width: Int) {
        matrix("\(module).gate_proj", width, hiddenSize)
        matrix("\(module).up_proj", width, hiddenSize)
        matrix("\(module).down_proj", hiddenSize, width)
    }
}
