/// Activations of the MLPs of a step, for the largest step.
struct FeedForwardBuffers {
    /// Inner activations of all MLPs that run at once, gate and up.
    let gate: Buffer<Float>
    let up: Buffer<Float>
    /// Routed results, one row for each (token, expert): (tokens * expertsPerToken, hiddenSize)
    let expertRows: Buffer<Float>
    /// (tokens, hiddenSize)
    let shared: Buffer<Float>
    /// (tokens, experts)
    let routerLogits: Buffer<Float>
    let routerKeys: Buffer<Float>
    /// Chosen experts, ascending, and their weights: (tokens, expertsPerToken)
    let expertIDs: Buffer<Int32>
    let expertWeights: Buffer<Float>
    /// The row in `expertRows` of each choice, (tokens, expertsPerToken)
    let slots: Buffer<Int32>
    /// The token of each row of `expertRows`.
    let slotTokens: Buffer<Int32>

    init(config: ModelConfig, maxTokens: Int) {
        let sizes = Sizes(config: config, maxTokens: maxTokens)
        gate = Buffer(count: sizes.inner)
        up = Buffer(count: sizes.inner)
        expertRows = Buffer(count: sizes.choices * config.hiddenSize)
        shared = Buffer(count: sizes.shared)
        routerLogits = Buffer(count: sizes.scores)
        routerKeys = Buffer(count: sizes.scores)
        expertIDs = Buffer(count: sizes.choices)
        expertWeights = Buffer(count: sizes.choices)
        slots = Buffer(count: sizes.choices)
        slotTokens = Buffer(count: sizes.choices)
    }

    /// Bytes that `init` allocates.
    static func bytes(config: ModelConfig, maxTokens: Int) -> Int {
        let sizes = Sizes(config: config, maxTokens: maxTokens)
        return 4 * (2 * sizes.inner + (config.hiddenSize + 4) * sizes.choices + sizes.shared + 2 * sizes.scores)
    }

    /// Elements of the buffers.
    private struct Sizes {
        /// Inner activations of all MLPs of a layer.
        let inner: Int
        /// (token, expert) pairs.
        let choices: Int
        let shared: Int
        /// One for each token and expert.
        let scores: Int

        init(config: ModelConfig, maxTokens: Int) {
            let hasExperts = config.denseLayers < config.layers
            let widths = config.expertIntermediateSize * (config.expertsPerToken + config.sharedExperts)
            inner = maxTokens * max(config.denseLayers > 0 ? config.intermediateSize : 0, hasExperts ? widths : 0)
            choices = hasExperts ? maxTokens * config.expertsPerToken : 0
            shared = hasExperts && config.sharedExperts > 0 ? maxTokens * config.hiddenSize : 0
            scores = hasExperts ? maxTokens * config.experts : 0
        }
    }
}

/// One gated MLP and the tokens it runs for.
struct FeedForwardJob {
    var weights: ModelWeights.GatedMLP
    /// Rows of `normed`; nil: all, in order.
    var rows: UnsafePointer<Int32>?
    var tokens: Int
    /// Where its inner activations begin in the buffers, in floats.
    var innerStart: Int
    /// (tokens, hiddenSize)
    var output: UnsafeMutablePointer<Float>
}

extension ForwardContext {
    /// From `normed` to `branch` through one MLP.
    func runDenseMLP(_ weights: ModelWeights.GatedMLP) {
        run([FeedForwardJob(weights: weights, rows: nil, tokens: plan.rows, innerStart: 0, output: branch.base)])
    }

    /// Runs all jobs in two parallel regions, whose chunks are (job, slice of rows).
    func run(_ jobs: [FeedForwardJob]) {
        let (x, hidden, kernels) = (normed.base, config.hiddenSize, kernels)
        let (gates, ups) = (feedForward.gate, feedForward.up)
        pool.forEachSlice(of: jobs.map(\.weights.gate.blocks)) { index, blocks in
            let job = jobs[index]
            let width = job.weights.width
            let (gate, up) = (gates.base + job.innerStart, ups.base + job.innerStart)
            for (matrix, target) in [(job.weights.gate, gate), (job.weights.up, up)] {
                matrix.multiply(
                    x, xStride: hidden, xRows: job.rows, tokens: job.tokens, into: target, yStride: width,
                    blocks: blocks, kernels: kernels)
            }
            let columns = blocks.lowerBound * 16..<min(blocks.upperBound * 16, width)
            kernels.siluMultiply(
                gate + columns.lowerBound, up + columns.lowerBound, job.tokens, columns.count, width)
        }
        pool.forEachSlice(of: jobs.map(\.weights.down.blocks)) { index, blocks in
            let job = jobs[index]
            job.weights.down.multiply(
                gates.base + job.innerStart, xStride: job.weights.width, xRows: nil, tokens: job.tokens,
                into: job.output, yStride: hidden, blocks: blocks, kernels: kernels)
        }
    }
}
