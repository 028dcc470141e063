import KernelInterface

/// The routed experts of a layer and the shared expert.
///
/// Every (token, expert) result has its own row. A token's rows are added in ascending order of experts, followed by that of the
/// shared expert, so that the sum does not depend on the batch.
struct MixtureOfExperts {
    private let weights: ModelWeights.MixtureOfExperts
    private let router: ExpertRouter
    /// The matrices of the routed experts, and those of the shared expert if there is one.
    private let experts: [ModelWeights.GatedMLP.View]
    private let shared: ModelWeights.GatedMLP.View?

    init(layer: Int, weights: ModelWeights.MixtureOfExperts) {
        self.weights = weights
        router = ExpertRouter(layer: layer, weights: weights.router, bias: weights.bias)
        experts = weights.experts.map(\.view)
        shared = weights.shared?.view
    }

    /// Computes the results of the experts from `normed`.
    func forward(_ context: ForwardContext) {
        router.route(context)
        context.run(groupByExpert(context))
    }

    /// Computes rows of `branch` from the results of the experts.
    func combine(_ context: ForwardContext, _ rows: Range<Int>) {
        let (config, buffers) = (context.config, context.feedForward)
        let (chosen, hidden, first) = (config.expertsPerToken, config.hiddenSize, rows.lowerBound)
        let shared = weights.shared == nil ? nil : UnsafePointer(buffers.shared.base + first * hidden)
        context.kernels.family.combineExperts(
            CombineArguments(
                rows: buffers.expertRows.base, slots: buffers.slots.base + first * chosen,
                weights: buffers.expertWeights.base + first * chosen, shared: shared,
                out: context.branch.base + first * hidden, tokens: rows.count, chosen: chosen, width: hidden))
    }

    /// Assigns a row to every choice. The rows of one expert are adjacent and in order of tokens.
    private func groupByExpert(_ context: ForwardContext) -> [FeedForwardJob] {
        let (config, buffers) = (context.config, context.feedForward)
        let (choices, width) = (context.plan.rows * config.expertsPerToken, config.expertIntermediateSize)
        // The end of each expert's rows so far. In the end, it is the start of the next expert's rows.
        let ends = buffers.slotEnds.base
        ends.update(repeating: 0, count: config.experts + 1)
        for choice in 0..<choices { ends[Int(buffers.expertIDs.base[choice]) + 1] += 1 }
        for expert in 0..<config.experts { ends[expert + 1] += ends[expert] }
        for choice in 0..<choices {
            let expert = Int(buffers.expertIDs.base[choice])
            buffers.slots.base[choice] = ends[expert]
            buffers.slotTokens.base[Int(ends[expert])] = Int32(choice / config.expertsPerToken)
            ends[expert] += 1
        }

        var jobs: [FeedForwardJob] = []
        jobs.reserveCapacity(min(choices, config.experts) + 1)
        if let shared {
            jobs.append(
                FeedForwardJob(
                    weights: shared, rows: nil, tokens: context.plan.rows,
                    inner: buffers.inner.rows(width: shared.width, behind: choices, of: width),
                    up: buffers.up.base + choices * width, output: buffers.shared.base))
        }
        var start = 0
        for expert in 0..<config.experts {
            let end = Int(ends[expert])
            guard start < end else { continue }
            context.traffic.expertsTouched += 1
            jobs.append(
                FeedForwardJob(
                    weights: experts[expert], rows: UnsafePointer(buffers.slotTokens.base + start),
                    tokens: end - start, inner: buffers.inner.rows(width: width, behind: start, of: width),
                    up: buffers.up.base + start * width, output: buffers.expertRows.base + start * config.hiddenSize))
            start = end
        }
        return jobs
    }
}
