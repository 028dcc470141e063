import Checkpoints

/// The consecutive layers of a model that one process computes, with their part of the KV cache. The stages of all processes
/// together are the model. Each process is a *rank*, numbered from 0. Rank 0 also has the embeddings, the last norm and the LM
/// head, and everything outside the model: scheduler, sampler, text, HTTP.
public struct Stage: Sendable, Equatable {
    public let rank: Int
    public let ranks: Int
    public let layers: Range<Int>

    public init(rank: Int, ranks: Int, layers: Range<Int>) {
        self.rank = rank
        self.ranks = ranks
        self.layers = layers
    }

    /// Returns the stage with all layers, for one process.
    static func whole(_ config: ModelConfig) -> Stage { Stage(rank: 0, ranks: 1, layers: 0..<config.layers) }

    var isFirst: Bool { rank == 0 }
    var isLast: Bool { rank == ranks - 1 }

    /// Returns stages with these numbers of layers, in order.
    package static func stages(layerCounts: [Int]) -> [Stage] {
        var stages: [Stage] = []
        for (rank, count) in layerCounts.enumerated() {
            let start = stages.last?.layers.upperBound ?? 0
            stages.append(Stage(rank: rank, ranks: layerCounts.count, layers: start..<start + count))
        }
        return stages
    }
}
