/// Elements of a model's weights by the format they are stored in, counted from its shape.
struct WeightTally: Equatable {
    /// Matrices of linear layers, which FP8 checkpoints quantise.
    var linear = 0
    /// Scales of those matrices in memory: one for each row and 128 columns.
    var scales = 0
    /// Embeddings, head and routers.
    var sensitive = 0
    /// Norms and expert biases.
    var vectors = 0

    var parameters: Int { linear + sensitive + vectors }

    /// What is in memory of a rank, or is read for a step.
    struct Part {
        /// Of how many ranks; heads, experts, widths and vocabulary are divided, the larger share counts.
        var ranks = 1
        /// Routed experts of each layer; `nil`: the rank's share of all.
        var experts: Int?
        var hasEmbeddings = true
        var hasHead = true
    }

    init(_ config: ModelConfig, _ part: Part = Part()) {
        func share(_ count: Int) -> Int { (count + part.ranks - 1) / part.ranks }
        let hidden = config.hiddenSize
        let queries = share(config.attentionHeads) * config.headDimension
        let keys = share(config.keyValueHeads) * config.headDimension
        let experts = part.experts ?? share(config.experts)
        for layer in 0..<config.layers {
            vectors += 4 * hidden + 2 * config.headDimension
            addLinear(queries, hidden, count: 2)
            addLinear(keys, hidden, count: 2)
            addLinear(hidden, queries)
            guard layer >= config.denseLayers else {
                addMLP(hidden, width: share(config.intermediateSize))
                continue
            }
            sensitive += config.experts * hidden
            vectors += config.experts
            addMLP(hidden, width: config.expertIntermediateSize, count: experts)
            if config.sharedExperts > 0 {
                addMLP(hidden, width: share(config.expertIntermediateSize * config.sharedExperts))
            }
        }
        vectors += hidden
        let vocabulary = share(config.vocabularySize) * hidden
        // Tied embeddings are the head.
        let matrices =
            config.tiesEmbeddings
            ? (part.hasEmbeddings || part.hasHead ? 1 : 0) : (part.hasEmbeddings ? 1 : 0) + (part.hasHead ? 1 : 0)
        sensitive += matrices * vocabulary
    }

    private mutating func addMLP(_ hidden: Int, width: Int, count: Int = 1) {
        addLinear(width, hidden, count: 2 * count)
        addLinear(hidden, width, count: count)
    }

    private mutating func addLinear(_ rows: Int, _ columns: Int, count: Int = 1) {
        linear += rows * columns * count
        let columnBlocks = WeightQuantizer.gridShape(rows: rows, columns: columns)[1]
        scales += (rows + 15) / 16 * 16 * columnBlocks * count
    }
}

extension WeightTally {
    /// Bytes of each kind in the formats of a checkpoint.
    struct Bytes {
        var linear: Int
        var scales: Int
        var sensitive: Int
        var vectors: Int

        var total: Int { linear + scales + sensitive + vectors }
    }

    /// - Parameters:
    ///   - linearSize: bytes of an element of a linear layer; at 1 there are scales.
    ///   - sensitiveSize: bytes of an element of embeddings, head and routers.
    func bytes(linearSize: Int, sensitiveSize: Int = 2) -> Bytes {
        Bytes(
            linear: linear * linearSize, scales: linearSize == 1 ? 4 * scales : 0,
            sensitive: sensitive * sensitiveSize, vectors: vectors * 4)
    }
}
