import Checkpoints
import KernelInterface

/// The activation buffers of the MLPs, for the largest step.
struct FeedForwardBuffers {
    /// The inner activations of all MLPs that run at the same time.
    let inner: MatrixRowsBuffer
    /// The up projections, which are multiplied with the activated gates.
    let up: Buffer<Float>
    /// The results of routed experts, one row for each (token, expert): (tokens * expertsPerToken, hiddenSize)
    let expertRows: Buffer<Float>
    /// (tokens, hiddenSize)
    let shared: Buffer<Float>
    /// (tokens, experts)
    let routerLogits: Buffer<Float>
    let routerKeys: Buffer<Float>
    /// The chosen experts in ascending order, and their weights: (tokens, expertsPerToken)
    let expertIDs: Buffer<Int32>
    let expertWeights: Buffer<Float>
    /// The row of `expertRows` for each choice, (tokens, expertsPerToken)
    let slots: Buffer<Int32>
    /// The token of each row of `expertRows`.
    let slotTokens: Buffer<Int32>
    /// Scratch memory for grouping choices by expert, (experts + 1)
    let slotEnds: Buffer<Int32>

    init(config: ModelConfig, kernels: KernelTable, maxTokens: Int) {
        let sizes = Sizes(config: config, maxTokens: maxTokens)
        inner = MatrixRowsBuffer(sizes.inner, kernels: kernels)
        up = Buffer(count: sizes.up)
        expertRows = Buffer(count: sizes.choices * config.hiddenSize)
        shared = Buffer(count: sizes.shared)
        routerLogits = Buffer(count: sizes.scores)
        routerKeys = Buffer(count: sizes.scores)
        expertIDs = Buffer(count: sizes.choices)
        expertWeights = Buffer(count: sizes.choices)
        slots = Buffer(count: sizes.choices)
        slotTokens = Buffer(count: sizes.choices)
        slotEnds = Buffer(count: config.experts + 1)
    }

    /// Returns the number of bytes that `init` allocates.
    static func bytes(config: ModelConfig, kernels: KernelTable, maxTokens: Int) -> Int {
        let sizes = Sizes(config: config, maxTokens: maxTokens)
        return MatrixRowsBuffer.bytes(sizes.inner, kernels: kernels)
            + 4
            * (sizes.up + (config.hiddenSize + 4) * sizes.choices + sizes.shared + 2 * sizes.scores + config.experts + 1)
    }

    /// The numbers of elements of the buffers.
    private struct Sizes {
        /// The shapes of the inner activations of the dense MLP, the routed experts and the shared expert. There is room for all of
        /// them.
        let inner: [(rows: Int, width: Int)]
        let up: Int
        /// The number of (token, expert) pairs.
        let choices: Int
        let shared: Int
        /// The number of router scores, one for each token and expert.
        let scores: Int

        init(config: ModelConfig, maxTokens: Int) {
            let hasExperts = config.denseLayers < config.layers
            choices = hasExperts ? maxTokens * config.expertsPerToken : 0
            let width = config.expertIntermediateSize
            let dense = (rows: maxTokens, width: config.denseLayers > 0 ? config.intermediateSize : 0)
            let sharedExpert = (rows: maxTokens, width: hasExperts ? config.sharedExperts * width : 0)
            inner = [dense, (choices, width), sharedExpert]
            up = maxTokens * max(dense.width, (hasExperts ? config.expertsPerToken * width : 0) + sharedExpert.width)
            shared = sharedExpert.width > 0 ? maxTokens * config.hiddenSize : 0
            scores = hasExperts ? maxTokens * config.experts : 0
        }
    }
}

/// A gated MLP and the tokens it runs for.
struct FeedForwardJob {
    var weights: ModelWeights.GatedMLP.View
    /// The rows of `normed`, or `nil` for all rows in order.
    var rows: UnsafePointer<Int32>?
    var tokens: Int
    /// The inner activations, (tokens, width)
    var inner: MatrixRows
    /// (tokens, width)
    var up: UnsafeMutablePointer<Float>
    /// (tokens, hiddenSize)
    var output: UnsafeMutablePointer<Float>
}

extension ForwardContext {
    /// The cost of reading and decoding a weight: about as much as multiplying it by this many tokens.
    private static let decodingCost = 8

    /// Computes `branch` from `normed` through one MLP.
    func runDenseMLP(_ weights: ModelWeights.GatedMLP) {
        run([
            FeedForwardJob(
                weights: weights.view, rows: nil, tokens: plan.rows,
                inner: feedForward.inner.rows(width: weights.width),
                up: feedForward.up.base, output: branch.base)
        ])
    }

    /// Runs all jobs in two parallel regions, which are divided into slices of (job, blocks) by cost.
    func run(_ jobs: [FeedForwardJob]) {
        let (x, hidden, kernels) = (normed, config.hiddenSize, kernels)
        traffic.weightBytes += jobs.reduce(0) { $0 + $1.weights.bytes }
        func slices(_ matrix: (FeedForwardJob) -> PackedMatrix.View, unit: Int = 2) -> [WorkerPool.Divisible] {
            jobs.map { matrix($0).slices(cost: $0.tokens + Self.decodingCost, unit: unit) }
        }
        // The slice that computes a segment also encodes it as integers.
        let segment = kernels.encodesIntegers ? IntegerRowLayout.segmentColumns / 16 : 2
        pool.forEachSlice(of: slices(\.weights.gate, unit: segment)) { index, blocks in
            let job = jobs[index]
            let width = job.weights.width
            for (matrix, target) in [(job.weights.gate, job.inner.values), (job.weights.up, job.up)] {
                matrix.multiply(
                    x, xRows: job.rows, tokens: job.tokens, into: target, yStride: width, blocks: blocks,
                    kernels: kernels)
            }
            let columns = blocks.lowerBound * 16..<min(blocks.upperBound * 16, width)
            kernels.family.siluMultiply(
                gate: job.inner.values + columns.lowerBound, up: job.up + columns.lowerBound, rows: job.tokens,
                width: columns.count, stride: width)
            job.inner.encode(rows: 0..<job.tokens, columns: columns, width: width, kernels: kernels)
        }
        pool.forEachSlice(of: slices(\.weights.down)) { index, blocks in
            let job = jobs[index]
            job.weights.down.multiply(
                job.inner, xRows: nil, tokens: job.tokens, into: job.output, yStride: hidden, blocks: blocks,
                kernels: kernels)
        }
    }
}
