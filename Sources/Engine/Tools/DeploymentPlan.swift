// Plans the memory of a model that need not exist: from its shape alone, for one machine or several.
import Scheduling

/// The memory that a model and its sequences take, on paper, for 1 to 16 ranks.
///
/// A rank's share: routed experts and attention heads are divided, heads with their keys and values, and so are the
/// widths of dense and shared MLPs and the vocabulary; what does not divide evenly counts as its larger part. Key and value
/// heads that are fewer than the ranks are repeated. Routers and norms are on every rank. Activations are not counted.
public struct DeploymentPlan: Sendable {
    /// How linear layers are kept.
    public enum Weights: String, Sendable, CaseIterable {
        case fp8, bf16
    }

    /// What one rank holds.
    public struct Rank: Sendable, Equatable {
        public var ranks: Int
        public var weightBytes: Int
        public var globalCacheBytes: Int
        public var slidingCacheBytes: Int

        public var bytes: Int { weightBytes + globalCacheBytes + slidingCacheBytes }
    }

    static let maximumRanks = 16
    /// Tokens of one step, as the server has them by default: a window's blocks are freed after the step.
    private static let stepTokens = 512

    private let config: ModelConfig
    private let context: Int
    private let sequences: Int
    private let weights: Weights
    private let cacheType: KVDataType

    /// - Parameters:
    ///   - context: tokens of each sequence, 1 to 2^30
    ///   - sequences: how many sequences of that length run at once, 1 to 2^20
    /// - Throws: `ToolError.argument` for numbers outside their ranges.
    public init(
        shape: ModelShape, context: Int, sequences: Int, weights: Weights, cacheType: KVDataType
    ) throws(ToolError) {
        guard (1...1 << 30).contains(context) else { throw .argument("--context must be a number from 1 to 2^30") }
        guard (1...1 << 20).contains(sequences) else { throw .argument("--sequences must be a number from 1 to 2^20") }
        config = shape.config
        self.context = context
        self.sequences = sequences
        self.weights = weights
        self.cacheType = cacheType
    }

    /// One entry for each number of ranks, from one to sixteen.
    public var ranks: [Rank] {
        (1...Self.maximumRanks).map { ranks in
            var share = config
            share.keyValueHeads = (config.keyValueHeads + ranks - 1) / ranks
            let cache = cacheBytes(share)
            return Rank(
                ranks: ranks, weightBytes: weightBytes(ranks: ranks).total, globalCacheBytes: cache.global,
                slidingCacheBytes: cache.sliding)
        }
    }

    /// The plan for people.
    public var lines: [String] {
        let total = weightBytes(ranks: 1)
        let cache = cacheBytes(config)
        let sliding = config.layerTypes.count { $0 == .sliding }
        var rows = [
            ("parameters", "\(WeightTally(config).parameters)"),
            ("weights", MemoryPlan.format(total.total)),
            ("  linear layers, \(weights.rawValue)", MemoryPlan.format(total.linear)),
        ]
        if weights == .fp8 { rows.append(("  their scales, f32", MemoryPlan.format(total.scales))) }
        rows += [
            ("  embeddings, head, routers, bf16", MemoryPlan.format(total.sensitive + total.head)),
            ("  norms, biases, f32", MemoryPlan.format(total.vectors)),
            (
                "KV cache, \(cacheType.rawValue)",
                MemoryPlan.format(cache.global + cache.sliding) + ", \(sequences) sequences of \(context) tokens"
            ),
            ("  \(config.layers - sliding) global layers", MemoryPlan.format(cache.global)),
            (
                "  \(sliding) sliding layers",
                MemoryPlan.format(cache.sliding)
                    + ", a window of \(config.slidingWindow) and a step of \(Self.stepTokens)"
            ),
        ]
        var lines = rows.map { Self.pad($0.0, 34) + $0.1 }
        if context > config.maxPositions {
            lines.append("note: the model's max_position_embeddings is \(config.maxPositions)")
        }
        lines += ["", "ranks  weights     KV global   KV sliding  total, per rank"]
        for rank in ranks {
            let cells = [rank.weightBytes, rank.globalCacheBytes, rank.slidingCacheBytes, rank.bytes]
            lines.append(
                Self.pad("\(rank.ranks)", 7) + cells.map { Self.pad(MemoryPlan.format($0), 12) }.joined())
        }
        return lines + [
            "",
            "A rank has its share of experts, heads (repeated where fewer than ranks), MLP widths and vocabulary;",
            "routers and norms are on every rank; activations are not counted.",
        ]
    }

    func weightBytes(ranks: Int) -> WeightTally.Bytes {
        WeightTally(config, WeightTally.Part(ranks: ranks)).bytes(linearSize: weights == .fp8 ? 1 : 2)
    }

    private func cacheBytes(_ config: ModelConfig) -> (global: Int, sliding: Int) {
        let layout = KVCacheLayout(config: config, dataType: cacheType)
        let geometry = layout.geometry(totalBlocks: 0)
        let global = geometry.slots(tokens: context) * layout.globalBlocksPerSlot
        let sliding = geometry.peakBlocks(tokens: context, chunk: Self.stepTokens) - global
        return (global * layout.bytesPerBlock * sequences, sliding * layout.bytesPerBlock * sequences)
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}
