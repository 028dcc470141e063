/// The shape of an AFMoE model, from `config.json`.
///
/// `ModelConfig(parsing:)` checks every number, so the model code needs no checks.
public struct ModelConfig: Sendable, Equatable {
    public enum LayerType: Sendable, Equatable {
        /// Local attention with RoPE, to the last `slidingWindow` keys, including the query's own.
        case sliding
        /// Global attention to all keys, without positions.
        case full
    }

    public enum ScoreFunction: Sendable, Equatable {
        case sigmoid, softmax
    }

    public var vocabularySize: Int
    public var hiddenSize: Int
    /// The width of a dense layer's MLP.
    public var intermediateSize: Int
    /// The width of one routed expert; the shared expert is `sharedExperts` times as wide.
    public var expertIntermediateSize: Int
    /// The attention type of each layer.
    public var layerTypes: [LayerType]
    /// The number of leading layers, which have a dense MLP.
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
    /// The number of equal groups of consecutive experts. A token uses only experts of its best `topGroups` groups; 1 and 1 means
    /// no groups.
    public var expertGroups: Int
    public var topGroups: Int
    public var slidingWindow: Int
    public var maxPositions: Int
    public var rope: RoPEConfig
    public var normEpsilon: Float
    /// Whether embeddings are multiplied by sqrt(hiddenSize).
    public var scalesEmbeddings: Bool
    public var tiesEmbeddings: Bool
    /// The ids from config.json; the ids in `generation_config.json` take precedence.
    public var endOfSequenceIDs: [Int32]
    public var bosID: Int32?
    /// The members of config.json that this server does not know and that have no effect, in the file's order.
    public var unknownKeys: [String] = []

    public var layers: Int { layerTypes.count }
}

/// The rotary positions of the sliding layers (RoFormer, arXiv 2104.09864; YaRN, arXiv 2309.00071).
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
