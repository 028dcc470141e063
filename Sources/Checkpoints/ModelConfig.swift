/// The shape of an AFMoE model, from `config.json`.
///
/// Created by `ModelConfig(parsing:)`, which checks every number, so the model code needs no checks.
public struct ModelConfig: Sendable, Equatable {
    public enum LayerType: Sendable, Equatable {
        /// Local attention: RoPE, and only the last `slidingWindow` keys, the query's own included.
        case sliding
        /// Global attention: all keys, no positions.
        case full
    }

    public enum ScoreFunction: Sendable, Equatable {
        case sigmoid, softmax
    }

    public var vocabularySize: Int
    public var hiddenSize: Int
    /// Width of a dense layer's MLP.
    public var intermediateSize: Int
    /// Width of one routed expert; the shared expert is `sharedExperts` times as wide.
    public var expertIntermediateSize: Int
    /// One entry per layer.
    public var layerTypes: [LayerType]
    /// The number of first layers, which have a dense MLP.
    public var denseLayers: Int
    public var attentionHeads: Int
    public var keyValueHeads: Int
    public var headDimension: Int
    public var experts: Int
    public var expertsPerToken: Int
    public var sharedExperts: Int
    public var scoreFunction: ScoreFunction
    public var normalizesRoutes: Bool
    public var routeScale: Float
    /// The number of equal consecutive groups of experts, of which `topGroups` are kept; 1 and 1 means no groups.
    public var expertGroups: Int
    public var topGroups: Int
    public var slidingWindow: Int
    public var maxPositions: Int
    public var rope: RoPEConfig
    public var normEpsilon: Float
    /// Multiply embeddings by sqrt(hiddenSize).
    public var scalesEmbeddings: Bool
    public var tiesEmbeddings: Bool
    /// From config.json; ids in `generation_config.json` take precedence.
    public var endOfSequenceIDs: [Int32]
    public var bosID: Int32?
    /// Members of config.json that this server does not know, and that have no effect, in the file's order.
    public var unknownKeys: [String] = []

    public var layers: Int { layerTypes.count }
}

/// Rotary positions of the sliding layers (RoFormer, arXiv 2104.09864; YaRN, arXiv 2309.00071).
public struct RoPEConfig: Sendable, Equatable {
    public enum Scaling: Sendable, Equatable {
        case none
        case linear(factor: Double)
        case yarn(
            factor: Double, originalMaxPositions: Int, betaFast: Double, betaSlow: Double, truncates: Bool,
            attentionFactor: Double)
    }

    public var theta: Double
    public var scaling: Scaling

    public init(theta: Double, scaling: Scaling = .none) {
        self.theta = theta
        self.scaling = scaling
    }
}
