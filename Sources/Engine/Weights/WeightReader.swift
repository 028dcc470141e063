import Checkpoints

/// A reader that reads tensors by their names in the checkpoint, and counts their bytes.
final class WeightReader {
    /// A matrix of the checkpoint.
    private struct Source {
        /// The name of the module.
        var name: String
        /// The node with the first rows.
        var firstNode: Int
        /// Whether the slices that compute the product also encode its results.
        var isEncoded = false
    }

    /// The default of `batchElements`. The pages of the files of a batch, and what is quantized from them, are in memory meanwhile.
    static let batchElements = 32 << 20

    private let batchElements: Int
    private let checkpoint: Checkpoint
    private let pool: WorkerPool
    private let kernels: KernelTable
    let memory: WeightMemory
    private(set) var bytes = 0
    private(set) var isQuantized = false
    /// The node with the first rows of the next matrices.
    private var firstNode = 0

    /// - Parameter batchElements: The number of elements of experts that are packed together, and at least one expert.
    init(
        checkpoint: Checkpoint, pool: WorkerPool, kernels: KernelTable, batchElements: Int = WeightReader.batchElements
    ) {
        self.batchElements = batchElements
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
        let expertElements = 3 * config.hiddenSize * config.expertIntermediateSize
        let step = max(batchElements / max(expertElements, 1), 1)
        var routed: [ModelWeights.GatedMLP] = []
        for first in stride(from: 0, to: config.experts, by: step) {
            let names = (first..<min(first + step, config.experts)).map { "\(name).experts.\($0)" }
            routed += try gatedMLPs(names)
        }
        return ModelWeights.MixtureOfExperts(
            router: try matrix("\(name).router.gate"),
            bias: try vector("\(name).expert_bias"),
            experts: routed,
            shared: config.sharedExperts > 0 ? try gatedMLP("\(name).shared_experts") : nil)
    }

    private func gatedMLP(_ name: String) throws(CheckpointError) -> ModelWeights.GatedMLP {
        // One matrix at a time, because those of dense layers are large.
        var matrices: [PackedMatrix] = []
        for source in sources(ofMLP: name) { matrices += try read([source]) }
        return ModelWeights.GatedMLP(gate: matrices[0], up: matrices[1], down: matrices[2])
    }

    private func gatedMLPs(_ names: [String]) throws(CheckpointError) -> [ModelWeights.GatedMLP] {
        let matrices = try read(names.flatMap(sources(ofMLP:)))
        return stride(from: 0, to: matrices.count, by: 3).map { first in
            ModelWeights.GatedMLP(gate: matrices[first], up: matrices[first + 1], down: matrices[first + 2])
        }
    }

    private func sources(ofMLP name: String) -> [Source] {
        // The matrices of small experts have too few rows for all nodes, so the first node alternates.
        defer { firstNode += 1 }
        return [
            Source(name: "\(name).gate_proj", firstNode: firstNode, isEncoded: true),
            Source(name: "\(name).up_proj", firstNode: firstNode, isEncoded: true),
            Source(name: "\(name).down_proj", firstNode: firstNode),
        ]
    }

    private func matrix(_ name: String) throws(CheckpointError) -> PackedMatrix {
        try read([Source(name: name, firstNode: firstNode)])[0]
    }

    /// Reads and packs matrices together. With one region of the pool for each small matrix, the threads would often wait for the
    /// same huge page, which the system fills with zeros when it is first written. And each release of a matrix's pages would
    /// unmap pages of the next one.
    private func read(_ sources: [Source]) throws(CheckpointError) -> [PackedMatrix] {
        let weights = try checkedWeights(sources)
        let matrices = zip(sources, weights).map { source, weight in
            PackedMatrix(
                weight, memory: memory, nodes: pool.nodes, firstNode: source.firstNode, isEncoded: source.isEncoded)
        }
        PackedMatrix.pack(Array(zip(matrices, weights)), pool: pool, kernels: kernels)
        for (source, matrix) in zip(sources, matrices) {
            // Otherwise the model would be in memory twice, once as pages of the file.
            checkpoint.release("\(source.name).weight")
            bytes += matrix.bytes
            isQuantized = isQuantized || matrix.isQuantized
        }
        return matrices
    }

    /// Checks the matrices for elements that are not finite, and quantizes them if requested. Each thread processes whole matrices
    /// if there are enough of them.
    private func checkedWeights(_ sources: [Source]) throws(CheckpointError) -> [LinearWeight] {
        func weight(_ source: Source, _ pool: WorkerPool?) throws(CheckpointError) -> LinearWeight {
            try checkpoint.checkFinite("\(source.name).weight", pool: pool)
            return checkpoint.linear(source.name, pool: pool, family: kernels.family)
        }
        var results = [Result<LinearWeight, CheckpointError>?](repeating: nil, count: sources.count)
        if sources.count < 2 * pool.threads {
            for (index, source) in sources.enumerated() {
                results[index] = .success(try weight(source, pool))
            }
        } else {
            results.withUnsafeMutableBufferPointer { buffer in
                let results = buffer
                pool.forEachSlice(of: WorkerPool.Divisible(blocks: sources.count, unit: 1)) { range in
                    for index in range {
                        results[index] = Result { () throws(CheckpointError) in try weight(sources[index], nil) }
                    }
                }
            }
        }
        var weights: [LinearWeight] = []
        for result in results {
            guard let result else { preconditionFailure("every matrix is read") }
            weights.append(try result.get())
        }
        return weights
    }

    private func vector(_ name: String) throws(CheckpointError) -> Buffer<Float> {
        try checkpoint.checkFinite(name)
        let vector = Buffer(checkpoint.vector(name))
        bytes += vector.bytes
        return vector
    }
}
