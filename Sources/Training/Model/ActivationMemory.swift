import Checkpoints
import Foundation

/// The memory that a micro-batch takes beside weights, gradients and the optimizers' state.
struct ActivationMemory {
    /// Bytes for each token: what all layers keep, and what the backward pass of one layer takes.
    let bytesPerToken: Int

    init(_ config: ModelConfig) {
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
        bytesPerToken = MemoryLayout<Float>.size * (kept + backward)
    }

    /// Refuses a micro-batch that the machine's memory cannot hold.
    ///
    /// - Throws: `TrainingError.batches` with both sizes.
    func check(_ batch: PackedBatch, name: String) throws(TrainingError) {
        let needed = Double(bytesPerToken) * Double(batch.tokens)
        let present = Double(ProcessInfo.processInfo.physicalMemory)
        guard needed <= present else {
            throw .batches(
                tensor: name,
                reason: """
                    has \(batch.tokens) tokens, which take \(Int(needed / 0x1p20)) MiB; the machine has \
                    \(Int(present / 0x1p20)) MiB
                    """)
        }
    }
}
