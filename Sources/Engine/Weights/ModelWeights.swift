import Checkpoints

/// All weights of a model or of a stage, packed for the kernels. The checkpoint is not needed after loading.
final class ModelWeights {
    /// The weights of one layer. Shapes use the names of `ModelConfig`.
    struct Layer {
        /// (hiddenSize)
        var inputNorm: Buffer<Float>
        var postAttentionNorm: Buffer<Float>
        var preMLPNorm: Buffer<Float>
        var postMLPNorm: Buffer<Float>
        var attention: Attention
        var mlp: MLP

        /// The number of bytes of all norms.
        var normBytes: Int {
            inputNorm.bytes + postAttentionNorm.bytes + preMLPNorm.bytes + postMLPNorm.bytes + attention.queryNorm.bytes
                + attention.keyNorm.bytes
        }
    }

    struct Attention {
        /// (attentionHeads * headDimension, hiddenSize)
        var query: PackedMatrix
        /// (keyValueHeads * headDimension, hiddenSize)
        var key: PackedMatrix
        var value: PackedMatrix
        /// (attentionHeads * headDimension, hiddenSize)
        var gate: PackedMatrix
        /// (hiddenSize, attentionHeads * headDimension)
        var output: PackedMatrix
        /// (headDimension)
        var queryNorm: Buffer<Float>
        var keyNorm: Buffer<Float>

        /// The number of bytes of the matrices.
        var bytes: Int { query.bytes + key.bytes + value.bytes + gate.bytes + output.bytes }
    }

    enum MLP {
        case dense(GatedMLP)
        case experts(MixtureOfExperts)
    }

    /// A gated MLP, down(silu(gate(x)) * up(x)). Gate and up are (width, hiddenSize), and down is (hiddenSize, width).
    struct GatedMLP {
        var gate: PackedMatrix
        var up: PackedMatrix
        var down: PackedMatrix

        var width: Int { gate.rows }

        /// The matrices in the form that products use.
        struct View {
            var gate: PackedMatrix.View
            var up: PackedMatrix.View
            var down: PackedMatrix.View
            /// The number of bytes of all three matrices.
            var bytes: Int

            var width: Int { gate.rows }
        }

        var view: View {
            View(gate: gate.view, up: up.view, down: down.view, bytes: gate.bytes + up.bytes + down.bytes)
        }
    }

    struct MixtureOfExperts {
        /// (experts, hiddenSize)
        var router: PackedMatrix
        /// The bias added to the scores for the choice only, (experts)
        var bias: Buffer<Float>
        var experts: [GatedMLP]
        var shared: GatedMLP?
    }

    /// The weights before the first layer and after the last one.
    struct Vocabulary {
        /// (vocabularySize, hiddenSize)
        var embedding: PackedMatrix
        /// (vocabularySize, hiddenSize). It is the embedding itself if the two are tied.
        var lmHead: PackedMatrix
        /// (hiddenSize)
        var finalNorm: Buffer<Float>
    }

    /// The embeddings and the LM head, which only the first stage has.
    let vocabulary: Vocabulary?
    /// The layers of the stage.
    let layers: [Layer]
    /// The number of bytes in memory.
    let bytes: Int
    /// Whether any matrix is quantized in groups, in which case products take activations encoded as integers.
    let isQuantized: Bool
    private let memory: WeightMemory

    /// The memory of the matrices of each node of the pool, valid as long as this object.
    var ranges: [[UnsafeRawBufferPointer]] { memory.ranges }

    /// The system's error number if it refused to place matrices on their nodes, otherwise 0.
    var placementError: Int32 { memory.placementError }

    /// Reads and packs the tensors of a stage, and no others.
    ///
    /// - Parameters:
    ///   - stage: The stage, or `nil` for the whole model.
    ///   - progress: A function that is called with the completed fraction after each layer.
    /// - Throws: `CheckpointError.notFinite` for the first tensor with an element that is NaN or infinite.
    init(
        checkpoint: Checkpoint, config: ModelConfig, stage: Stage? = nil, pool: WorkerPool, kernels: KernelTable,
        progress: (Double) -> Void = { _ in }
    ) throws(CheckpointError) {
        let stage = stage ?? .whole(config)
        let reader = WeightReader(checkpoint: checkpoint, pool: pool, kernels: kernels)
        vocabulary = stage.isFirst ? try reader.vocabulary(config) : nil
        var layers: [Layer] = []
        for index in stage.layers {
            layers.append(try reader.layer(index, config: config))
            progress(Double(layers.count) / Double(stage.layers.count))
        }
        self.layers = layers
        bytes = reader.bytes
        isQuantized = reader.isQuantized
        memory = reader.memory
    }
}

/// A reader that reads tensors by their names in the checkpoint, and counts their bytes.
private final class WeightReader {
    private let checkpoint: Checkpoint
    private let pool: WorkerPool
    private let kernels: KernelTable
    let memory: WeightMemory
    private(set) var bytes = 0
    private(set) var isQuantized = false
    /// The node with the first rows of the next matrices.
    private var firstNode = 0

    init(checkpoint: Checkpoint, pool: WorkerPool, kernels: KernelTable) {
        self.checkpoint = checkpoint
        self.pool = pool
        self.kernels = kernels
        memory = WeightMemory(nodes: pool.nodes)
    }

    func vocabulary(_ config: ModelConfig) throws(CheckpointError) -> ModelWeights.Vocabulary {
        let embedding = try matrix("model.embed_tokens")
        return ModelWeights.Vocabulary(
            embedding: embedding, lmHead: config.tiesEmbeddings ? embedding : try matrix("lm_head"),
            finalNorm: try vector("model.norm.weight"))
    }

    func layer(_ index: Int, config: ModelConfig) throws(CheckpointError) -> ModelWeights.Layer {
        let name = "model.layers.\(index)"
        let mlp: ModelWeights.MLP =
            index < config.denseLayers
            ? .dense(try gatedMLP("\(name).mlp")) : .experts(try experts("\(name).mlp", config: config))
        return ModelWeights.Layer(
            inputNorm: try vector("\(name).input_layernorm.weight"),
            postAttentionNorm: try vector("\(name).post_attention_layernorm.weight"),
            preMLPNorm: try vector("\(name).pre_mlp_layernorm.weight"),
            postMLPNorm: try vector("\(name).post_mlp_layernorm.weight"),
            attention: try attention("\(name).self_attn"),
            mlp: mlp)
    }

    private func attention(_ name: String) throws(CheckpointError) -> ModelWeights.Attention {
        ModelWeights.Attention(
            query: try matrix("\(name).q_proj"),
            key: try matrix("\(name).k_proj"),
            value: try matrix("\(name).v_proj"),
            gate: try matrix("\(name).gate_proj"),
            output: try matrix("\(name).o_proj"),
            queryNorm: try vector("\(name).q_norm.weight"),
            keyNorm: try vector("\(name).k_norm.weight"))
    }

    private func experts(_ name: String, config: ModelConfig) throws(CheckpointError) -> ModelWeights.MixtureOfExperts {
        var routed: [ModelWeights.GatedMLP] = []
        for expert in 0..<config.experts { routed.append(try gatedMLP("\(name).experts.\(expert)")) }
        return ModelWeights.MixtureOfExperts(
            router: try matrix("\(name).router.gate"),
            bias: try vector("\(name).expert_bias"),
            experts: routed,
            shared: config.sharedExperts > 0 ? try gatedMLP("\(name).shared_experts") : nil)
    }

    private func gatedMLP(_ name: String) throws(CheckpointError) -> ModelWeights.GatedMLP {
        // The matrices of small experts have too few rows for all nodes, so the first node alternates.
        defer { firstNode += 1 }
        return ModelWeights.GatedMLP(
            gate: try matrix("\(name).gate_proj", isEncoded: true),
            up: try matrix("\(name).up_proj", isEncoded: true),
            down: try matrix("\(name).down_proj"))
    }

    /// - Parameter isEncoded: Whether the slices that compute the product also encode its results.
    private func matrix(_ name: String, isEncoded: Bool = false) throws(CheckpointError) -> PackedMatrix {
        try checkpoint.checkFinite("\(name).weight", pool: pool)
        let matrix = PackedMatrix(
            checkpoint.linear(name, pool: pool, family: kernels.family), memory: memory, pool: pool, kernels: kernels,
            firstNode: firstNode, isEncoded: isEncoded)
        // Otherwise the model would be in memory twice, once as pages of the file.
        checkpoint.release("\(name).weight")
        bytes += matrix.bytes
        isQuantized = isQuantized || matrix.isQuantized
        return matrix
    }

    private func vector(_ name: String) throws(CheckpointError) -> Buffer<Float> {
        try checkpoint.checkFinite(name)
        let vector = Buffer(checkpoint.vector(name))
        bytes += vector.bytes
        return vector
    }
}
