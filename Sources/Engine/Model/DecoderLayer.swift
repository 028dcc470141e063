import Checkpoints

/// One layer with its four norms. Each branch is normalized before and after, and then added to the residual stream.
struct DecoderLayer {
    private enum MLP {
        case dense(ModelWeights.GatedMLP)
        case experts(MixtureOfExperts)
    }

    private let index: Int
    private let weights: ModelWeights.Layer
    private let attention: Attention
    private let mlp: MLP

    init(index: Int, weights: ModelWeights.Layer, config: ModelConfig) {
        self.index = index
        self.weights = weights
        attention = Attention(layer: index, type: config.layerTypes[index], weights: weights.attention)
        mlp =
            switch weights.mlp {
            case .dense(let weights): .dense(weights)
            case .experts(let weights): .experts(MixtureOfExperts(layer: index, weights: weights))
            }
    }

    /// Applies the layer to the residual stream.
    ///
    /// - Parameter next: The next layer of the stage, whose input this layer normalizes, or `nil` if this is the last one.
    /// - Precondition: `normed` is the residual stream after this layer's input norm. See ``normalizeInput(_:)``.
    func forward(_ context: ForwardContext, next: DecoderLayer?) {
        let count = context.plan.rows * context.config.hiddenSize
        context.traffic.weightBytes += weights.normBytes
        attention.forward(context)
        context.observe(.attentionBranch, layer: index, context.branch.base, count: count)
        // One region for what rows need between two products: fewer regions, and a row moves between the caches of threads once.
        context.forEachRowRange { rows in
            add(context, rows, weights.postAttentionNorm)
            normalize(context, rows, weights.preMLPNorm, isRouted: isRouted)
        }

        switch mlp {
        case .dense(let weights): context.runDenseMLP(weights)
        case .experts(let experts): experts.forward(context)
        }
        context.forEachRowRange { rows in
            if case .experts(let experts) = mlp { experts.combine(context, rows) }
            add(context, rows, weights.postMLPNorm)
            if let next { next.normalize(context, rows, next.weights.inputNorm) }
        }
        context.observe(.mlpBranch, layer: index, context.branch.base, count: count)
        context.observe(.layerOutput, layer: index, context.residual.base, count: count)
    }

    /// Computes `normed` for this layer from the residual stream.
    func normalizeInput(_ context: ForwardContext) {
        context.forEachRowRange { normalize(context, $0, weights.inputNorm) }
    }

    private var isRouted: Bool {
        if case .experts = mlp { true } else { false }
    }

    /// - Parameter isRouted: Whether a router reads the rows, whose products are exact in every mode.
    private func normalize(
        _ context: ForwardContext, _ rows: Range<Int>, _ weight: Buffer<Float>, isRouted: Bool = false
    ) {
        let width = context.config.hiddenSize
        let offset = rows.lowerBound * width
        context.kernels.family.rmsNorm(
            x: context.residual.base + offset, weight: weight.base, out: context.normed.values + offset,
            rows: rows.count, width: width, epsilon: context.config.normEpsilon)
        context.normed.encode(
            rows: rows, columns: 0..<width, width: width, kernels: context.kernels, hasExactProducts: isRouted)
    }

    private func add(_ context: ForwardContext, _ rows: Range<Int>, _ weight: Buffer<Float>) {
        let width = context.config.hiddenSize
        let offset = rows.lowerBound * width
        context.kernels.family.addRMSNorm(
            branch: context.branch.base + offset, weight: weight.base, residual: context.residual.base + offset,
            rows: rows.count, width: width, epsilon: context.config.normEpsilon)
    }
}
