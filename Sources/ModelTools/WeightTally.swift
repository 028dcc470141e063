import Checkpoints

/// The number of elements of a model's weights by storage format, computed from its shape.
struct WeightTally: Equatable {
    /// Matrices of linear layers, which FP8 checkpoints quantize.
    var linear = 0
    /// The scales of those matrices in memory: one for each block of 16 rows and 128 columns.
    var scales = 0
    /// The LM head, if it is not tied to the embeddings.
    var lmHead = 0
    var lmHeadScales = 0
    /// Embeddings and routers.
    var sensitive = 0
    /// Norms and expert biases.
    var vectors = 0

    var parameters: Int { linear + lmHead + sensitive + vectors }

    /// A subset of the weights: the weights in memory, or the weights that a step reads.
    struct Part {
        /// The number of routed experts of each layer; `nil` for all.
        var experts: Int?
        var hasEmbeddings = true
        var hasLMHead = true
    }

    init(_ config: ModelConfig, _ part: Part = Part()) {
        let hidden = config.hiddenSize
        let queries = config.attentionHeads * config.headDimension
        let keys = config.keyValueHeads * config.headDimension
        let experts = part.experts ?? config.experts
        for layer in 0..<config.layers {
            vectors += 4 * hidden + 2 * config.headDimension
            addLinear(queries, hidden, count: 2)
            addLinear(keys, hidden, count: 2)
            addLinear(hidden, queries)
            guard layer >= config.denseLayers else {
                addMLP(hidden, width: config.intermediateSize)
                continue
            }
            sensitive += config.experts * hidden
            vectors += config.experts
            addMLP(hidden, width: config.expertIntermediateSize, count: experts)
            if config.sharedExperts > 0 {
                addMLP(hidden, width: config.expertIntermediateSize * config.sharedExperts)
            }
        }
        vectors += hidden
        let vocabulary = config.vocabularySize
        // Tied embeddings also serve as the LM head.
        if part.hasEmbeddings || config.tiesEmbeddings && part.hasLMHead { sensitive += vocabulary * hidden }
        if part.hasLMHead && !config.tiesEmbeddings {
            lmHead = vocabulary * hidden
            lmHeadScales = Self.scales(vocabulary, hidden)
        }
    }

    private mutating func addMLP(_ hidden: Int, width: Int, count: Int = 1) {
        addLinear(width, hidden, count: 2 * count)
        addLinear(hidden, width, count: count)
    }

    private mutating func addLinear(_ rows: Int, _ columns: Int, count: Int = 1) {
        linear += rows * columns * count
        scales += Self.scales(rows, columns) * count
    }

    private static func scales(_ rows: Int, _ columns: Int) -> Int {
        (rows + 15) / 16 * WeightQuantizer.gridShape(rows: rows, columns: columns)[1]
    }
}

extension WeightTally {
    /// The sizes of each kind in the given formats, in bytes.
    struct Bytes {
        var linear: Int
        var scales: Int
        var lmHead: Int
        var sensitive: Int
        var vectors: Int

        var total: Int { linear + scales + lmHead + sensitive + vectors }
    }

    /// - Parameters:
    ///   - linearSize: the bytes per element of linear layers; 1 means FP8, which has scales.
    ///   - lmHeadSize: the bytes per element of the LM head; 1 means FP8, which has scales.
    ///   - sensitiveSize: the bytes per element of embeddings and routers.
    func bytes(linearSize: Double, lmHeadSize: Double = 2, sensitiveSize: Double = 2) -> Bytes {
        Bytes(
            linear: Int(Double(linear) * linearSize),
            scales: (linearSize == 1 ? 4 * scales : 0) + (lmHeadSize == 1 ? 4 * lmHeadScales : 0),
            lmHead: Int(Double(lmHead) * lmHeadSize), sensitive: Int(Double(sensitive) * sensitiveSize),
            vectors: vectors * 4)
    }
}
