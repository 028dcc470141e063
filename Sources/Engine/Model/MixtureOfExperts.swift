/// The routed experts of a layer and the shared one beside them.
///
/// Every (token, expert) result has a row of its own; a token's rows are added in ascending expert id, then the shared
/// expert's, so that the sum does not depend on what else is in the batch.
struct MixtureOfExperts {
    private let weights: ModelWeights.MixtureOfExperts
    private let router: ExpertRouter

    init(layer: Int, weights: ModelWeights.MixtureOfExperts) {
        self.weights = weights
        router = ExpertRouter(layer: layer, weights: weights.router, bias: weights.bias)
    }

    /// From `normed` to `branch`.
    func forward(_ context: ForwardContext) {
        router.route(context)
        context.run(groupByExpert(context))

        let (config, buffers) = (context.config, context.feedForward)
        let (chosen, hidden) = (config.expertsPerToken, config.hiddenSize)
        context.forEachRowRange { rows in
            let first = rows.lowerBound
            let shared = weights.shared == nil ? nil : UnsafePointer(buffers.shared.base + first * hidden)
            context.kernels.combineExperts(
                buffers.expertRows.base, buffers.slots.base + first * chosen,
                buffers.expertWeights.base + first * chosen,
                shared, context.branch.base + first * hidden, rows.count, chosen, hidden)
        }
    }

    /// Gives every choice a row, the rows of one expert side by side and in order of tokens.
    private func groupByExpert(_ context: ForwardContext) -> [FeedForwardJob] {
        let (config, buffers) = (context.config, context.feedForward)
        let choices = context.plan.rows * config.expertsPerToken
        var starts = [Int](repeating: 0, count: config.experts + 1)
        for choice in 0..<choices { starts[Int(buffers.expertIDs.base[choice]) + 1] += 1 }
        for expert in 0..<config.experts { starts[expert + 1] += starts[expert] }
        var next = starts
        for choice in 0..<choices {
            let expert = Int(buffers.expertIDs.base[choice])
            buffers.slots.base[choice] = Int32(next[expert])
            buffers.slotTokens.base[next[expert]] = Int32(choice / config.expertsPerToken)
            next[expert] += 1
        }

        let width = config.expertIntermediateSize
        var jobs: [FeedForwardJob] = []
        for expert in 0..<config.experts where starts[expert] < starts[expert + 1] {
            let start = starts[expert]
            jobs.append(
                FeedForwardJob(
                    weights: weights.experts[expert], rows: UnsafePointer(buffers.slotTokens.base + start),
                    tokens: starts[expert + 1] - start,
                    inner: buffers.inner.rows(width: width, behind: start, of: width),
                    up: buffers.up.base + start * width, output: buffers.expertRows.base + start * config.hiddenSize))
        }
        if let shared = weights.shared {
            jobs.append(
                FeedForwardJob(
                    weights: shared, rows: nil, tokens: context.plan.rows,
                    inner: buffers.inner.rows(width: shared.width, behind: choices, of: width),
                    up: buffers.up.base + choices * width, output: buffers.shared.base))
        }
        return jobs
    }
}
