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
    func forward(_ context: ForwardContext) {
        let count = context.plan.rows * context.config.hiddenSize
        context.traffic.weightBytes += weights.normBytes
        normalize(context, weights.inputNorm)
        attention.forward(context)
        context.observe(.attentionBranch, layer: index, context.branch.base, count: count)
        add(context, weights.postAttentionNorm)

        normalize(context, weights.preMLPNorm)
        switch mlp {
        case .dense(let weights): context.runDenseMLP(weights)
        case .experts(let experts): experts.forward(context)
        }
        context.observe(.mlpBranch, layer: index, context.branch.base, count: count)
        add(context, weights.postMLPNorm)
        context.observe(.layerOutput, layer: index, context.residual.base, count: count)
    }

    private func normalize(_ context: ForwardContext, _ weight: Buffer<Float>) {
        let width = context.config.hiddenSize
        context.forEachRowRange { rows in
            let offset = rows.lowerBound * width
            context.kernels.family.rmsNorm(
                x: context.residual.base + offset, weight: weight.base, out: context.normed.values + offset,
                rows: rows.count, width: width, epsilon: context.config.normEpsilon)
            context.normed.encode(rows: rows, columns: 0..<width, width: width, kernels: context.kernels)
        }
    }

    private func add(_ context: ForwardContext, _ weight: Buffer<Float>) {
        let width = context.config.hiddenSize
        context.forEachRowRange { rows in
            let offset = rows.lowerBound * width
            context.kernels.family.addRMSNorm(
                branch: context.branch.base + offset, weight: weight.base, residual: context.residual.base + offset,
                rows: rows.count, width: width, epsilon: context.config.normEpsilon)
        }
    }
}
