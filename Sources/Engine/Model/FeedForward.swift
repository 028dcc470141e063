/// Activations of the MLPs of a step, for the largest step.
struct FeedForwardBuffers {
    /// Inner activations of all MLPs that run at once.
    let inner: MatrixRowsBuffer
    /// The factors of the gates.
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

    init(config: ModelConfig, kernels: KernelTable, maxTokens: Int) {
        let hasExperts = config.denseLayers < config.layers
        let choices = hasExperts ? maxTokens * config.expertsPerToken : 0
        let width = config.expertIntermediateSize
        let dense = (rows: maxTokens, width: config.denseLayers > 0 ? config.intermediateSize : 0)
        let sharedInner = (rows: maxTokens, width: hasExperts ? config.sharedExperts * width : 0)
        // Either the dense MLP or the experts; room for both keeps it simple.
        inner = MatrixRowsBuffer([dense, (choices, width), sharedInner], kernels: kernels)
        up = Buffer(count: max(dense.rows * dense.width, choices * width + sharedInner.rows * sharedInner.width))
        expertRows = Buffer(count: choices * config.hiddenSize)
        shared = Buffer(count: hasExperts && config.sharedExperts > 0 ? maxTokens * config.hiddenSize : 0)
        routerLogits = Buffer(count: hasExperts ? maxTokens * config.experts : 0)
        routerKeys = Buffer(count: hasExperts ? maxTokens * config.experts : 0)
        expertIDs = Buffer(count: choices)
        expertWeights = Buffer(count: choices)
        slots = Buffer(count: choices)
        slotTokens = Buffer(count: choices)
    }
}

/// One gated MLP and the tokens it runs for.
struct FeedForwardJob {
    var weights: ModelWeights.GatedMLP
    /// Rows of `normed`; nil: all, in order.
    var rows: UnsafePointer<Int32>?
    var tokens: Int
    /// Its inner activations, (tokens, width)
    var inner: MatrixRows
    /// (tokens, width)
    var up: UnsafeMutablePointer<Float>
    /// (tokens, hiddenSize)
    var output: UnsafeMutablePointer<Float>
}

extension ForwardContext {
    /// From `normed` to `branch` through one MLP.
    func runDenseMLP(_ weights: ModelWeights.GatedMLP) {
        run([
            FeedForwardJob(
                weights: weights, rows: nil, tokens: plan.rows, inner: feedForward.inner.rows(width: weights.width),
                up: feedForward.up.base, output: branch.base)
        ])
    }

    /// Runs all jobs in two parallel regions, whose chunks are (job, slice of rows).
    func run(_ jobs: [FeedForwardJob]) {
        let (x, hidden, kernels) = (normed, config.hiddenSize, kernels)
        pool.forEachSlice(of: jobs.map(\.weights.gate.blocks)) { index, blocks in
            let job = jobs[index]
            let width = job.weights.width
            for (matrix, target) in [(job.weights.gate, job.inner.values), (job.weights.up, job.up)] {
                matrix.multiply(
                    x, xRows: job.rows, tokens: job.tokens, into: target, yStride: width, blocks: blocks,
                    kernels: kernels)
            }
            let columns = blocks.lowerBound * 16..<min(blocks.upperBound * 16, width)
            kernels.siluMultiply(
                job.inner.values + columns.lowerBound, job.up + columns.lowerBound, job.tokens, columns.count, width)
            job.inner.encode(rows: 0..<job.tokens, columns: columns, width: width, kernels: kernels)
        }
        pool.forEachSlice(of: jobs.map(\.weights.down.blocks)) { index, blocks in
            let job = jobs[index]
            job.weights.down.multiply(
                job.inner, xRows: nil, tokens: job.tokens, into: job.output, yStride: hidden, blocks: blocks,
                kernels: kernels)
        }
    }
}
