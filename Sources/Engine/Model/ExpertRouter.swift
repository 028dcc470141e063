import KernelInterface

/// The router that chooses each token's experts. It uses sigmoid (or softmax) scores, a bias that affects only the choice, and
/// mixing weights computed from the scores alone, all in float32.
struct ExpertRouter {
    private let layer: Int
    /// (experts, hiddenSize)
    private let weights: PackedMatrix
    /// (experts)
    private let bias: Buffer<Float>

    init(layer: Int, weights: PackedMatrix, bias: Buffer<Float>) {
        self.layer = layer
        self.weights = weights
        self.bias = bias
    }

    /// Computes `expertIDs` and `expertWeights` from `normed`.
    func route(_ context: ForwardContext) {
        let (config, buffers, rows) = (context.config, context.feedForward, context.plan.rows)
        let (experts, chosen) = (config.experts, config.expertsPerToken)
        context.traffic.weightBytes += weights.bytes + bias.bytes
        let matrix = weights.view
        context.pool.forEachSlice(of: matrix.slices()) { blocks in
            matrix.multiply(
                context.normed, xRows: nil, tokens: rows, into: buffers.routerLogits.base, yStride: experts,
                blocks: blocks, kernels: context.kernels, isExact: true)
        }
        context.observe(.routerLogits, layer: layer, buffers.routerLogits.base, count: rows * experts)
        context.forEachRowRange { rows in
            let first = rows.lowerBound
            context.kernels.family.route(
                RoutingArguments(
                    logits: buffers.routerLogits.base + first * experts, bias: bias.base,
                    keys: buffers.routerKeys.base + first * experts, tokens: rows.count, experts: experts,
                    chosen: chosen, groups: config.expertGroups, keptGroups: config.topGroups,
                    usesSoftmax: config.scoreFunction == .softmax,
                    normalizes: config.normalizesRoutes && config.scoreFunction == .sigmoid, scale: config.routeScale,
                    ids: buffers.expertIDs.base + first * chosen,
                    weights: buffers.expertWeights.base + first * chosen))
        }
        if context.observer != nil {
            let ids = buffers.expertIDs.contents.prefix(rows * chosen).map { Float($0) }
            ids.withUnsafeBufferPointer { context.observer?(.routerIDs, layer, $0) }
            context.observe(.routerWeights, layer: layer, buffers.expertWeights.base, count: rows * chosen)
        }
    }
}
