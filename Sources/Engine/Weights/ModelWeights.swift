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
    ///   - batchElements: The number of elements of experts that are packed together, and at least one expert.
    ///   - progress: A function that is called with the completed fraction after each layer.
    /// - Throws: `CheckpointError.notFinite` for the first tensor with an element that is NaN or infinite.
    init(
        checkpoint: Checkpoint, config: ModelConfig, stage: Stage? = nil, pool: WorkerPool, kernels: KernelTable,
        batchElements: Int = WeightReader.batchElements,
        progress: (Double) -> Void = { _ in }
    ) throws(CheckpointError) {
        let stage = stage ?? .whole(config)
        let reader = WeightReader(
            checkpoint: checkpoint, pool: pool, kernels: kernels, batchElements: batchElements)
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
