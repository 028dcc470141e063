import Checkpoints
import Engine

/// The memory that a micro-batch needs in addition to weights, gradients and optimizer state.
struct ActivationMemory {
    /// The number of bytes per token: the activations that all layers keep, plus the memory of one layer's backward pass.
    let bytesPerToken: Int
    private let precision: Precision
    /// The number of tokens in the largest micro-batch so far.
    private var largest = 0

    init(_ config: ModelConfig, _ precision: Precision) {
        self.precision = precision
        bytesPerToken = precision == .exact ? Self.exactBytes(config) : Self.roundedBytes(config)
    }

    /// The memory of a batch whose loss is only measured, in float32. Activations of one layer at a time are kept.
    init(measuring config: ModelConfig) {
        precision = .exact
        bytesPerToken = Self.measuredBytes(config)
    }

    /// Throws an error for a micro-batch that does not fit the memory, before anything is allocated for it.
    ///
    /// - Parameter available: free bytes; evaluated only for a batch larger than all before.
    /// - Throws: `TrainingError.activations`, with both sizes.
    mutating func check(
        _ batch: PackedBatch, name: String, available: @autoclosure () -> Int = MemoryPlan.freeMemory()
    ) throws(TrainingError) {
        guard batch.tokens > largest else { return }
        // With bfloat16, the memory of the largest micro-batch so far is kept. It is freed before a larger one is allocated.
        let kept = precision == .bf16 ? Double(bytesPerToken) * Double(largest) : 0
        let needed = Double(bytesPerToken) * Double(batch.tokens)
        let room = Double(available()) + kept
        guard needed <= room else {
            throw .activations(of: name, tokens: batch.tokens, needed: needed, available: room)
        }
        largest = batch.tokens
    }

    private static func exactBytes(_ config: ModelConfig) -> Int {
        let (hidden, chosen) = (config.hiddenSize, config.expertsPerToken)
        let (queries, keys) = (
            config.attentionHeads * config.headDimension, config.keyValueHeads * config.headDimension
        )
        let attention = 6 * hidden + 4 * queries + 3 * keys + config.attentionHeads
        let experts =
            2 * config.sharedExperts * config.expertIntermediateSize + config.experts
            + chosen * (2 * hidden + 2 * config.expertIntermediateSize + 2)
        let kept =
            config.layers * attention + config.denseLayers * 2 * config.intermediateSize
            + (config.layers - config.denseLayers) * experts
        let width = max(
            config.intermediateSize, config.expertIntermediateSize * max(config.sharedExperts, chosen))
        let backward = (5 + 2 * chosen) * hidden + 3 * queries + 2 * keys + 2 * width
        return MemoryLayout<Float>.size * (kept + backward)
    }

    private static func measuredBytes(_ config: ModelConfig) -> Int {
        let (hidden, width) = (config.hiddenSize, config.expertIntermediateSize)
        let (queries, keys) = (
            config.attentionHeads * config.headDimension, config.keyValueHeads * config.headDimension
        )
        let attention = 6 * hidden + 5 * queries + 3 * keys + config.attentionHeads
        let sparse =
            config.experts + 3 * config.sharedExperts * width + config.expertsPerToken * (2 * hidden + 3 * width + 2)
        let dense = config.denseLayers > 0 ? 3 * config.intermediateSize : 0
        return MemoryLayout<Float>.size
            * (2 * hidden + attention + max(dense, config.denseLayers < config.layers ? sparse : 0))
    }

    /// The bytes per token that `RoundedWorkspace` allocates.
    private static func roundedBytes(_ config: ModelConfig) -> Int {
        let (hidden, chosen, layout) = (config.hiddenSize, config.expertsPerToken, ProjectionLayout(config))
        let (queries, keys) = (layout.queries.count, layout.keys.count)
        let sparseLayers = config.layers - config.denseLayers
        let shared = (config.sharedExperts * config.expertIntermediateSize).roundedUp(to: 16)
        let dense = config.intermediateSize.roundedUp(to: 16)
        let expert = config.expertIntermediateSize.roundedUp(to: 16)
        let attention = 12 * hidden + 2 * (layout.width + queries) + 4 * config.attentionHeads
        let sparse = 4 * (shared + chosen * expert) + 4 * config.experts + 20 * chosen
        let kept = config.layers * attention + config.denseLayers * 4 * dense + sparseLayers * sparse
        let isSparse = sparseLayers > 0
        let width = max(config.denseLayers > 0 ? dense : 0, isSparse ? shared : 0)
        let mlpPanels = 3 * width + 2 * hidden + (isSparse ? chosen * (3 * expert + 2 * hidden) : 0)
        let attentionPanels = layout.width + queries + 2 * hidden
        let passed =
            16 * hidden + 2 * (2 * queries + keys) + 6 * layout.width + 4 * config.attentionHeads
            + (isSparse ? 4 * (chosen * (hidden + 1) + config.experts) : 0) + 2 * max(mlpPanels, attentionPanels)
        let sums = 8 * hidden + 8 * config.headDimension + (isSparse ? 4 * config.experts * hidden : 0)
        return kept + passed + (sums + RoundedContext.chunkTokens - 1) / RoundedContext.chunkTokens
    }
}
