import Checkpoints
import Scheduling

/// The state that the layers of a model share while a step runs: the threads and kernels, the cache, and the activations, which are
/// allocated once for the largest step. Activations are float32 and row-major.
final class ForwardContext {
    let config: ModelConfig
    let kernels: KernelTable
    let pool: WorkerPool
    let storage: KVStorage
    var plan: ForwardPlan
    /// The memory traffic of the current step.
    var traffic = MemoryTraffic()
    /// A function that observes intermediate results in tests. See ``TransformerProbe``.
    var observer: ((TransformerProbe, Int, UnsafeBufferPointer<Float>) -> Void)?

    /// The residual stream, (tokens, hiddenSize)
    let residual: Buffer<Float>
    /// The normalized input of attention or MLP, (tokens, hiddenSize)
    let normed: MatrixRows
    /// The output of attention or MLP, (tokens, hiddenSize)
    let branch: Buffer<Float>
    /// (tokens, attentionHeads, headDimension)
    let query: Buffer<Float>
    let gate: Buffer<Float>
    let attended: MatrixRows
    /// (tokens, keyValueHeads, headDimension)
    let key: Buffer<Float>
    let value: Buffer<Float>
    /// (tokens, headDimension / 2)
    let cosines: Buffer<Float>
    let sines: Buffer<Float>
    let feedForward: FeedForwardBuffers
    /// The partial results of attention. See ``CacheReader/scratchCount(_:maxTokens:threads:)``.
    let attentionScratch: Buffer<Float>
    private let normedBuffer: MatrixRowsBuffer
    private let attendedBuffer: MatrixRowsBuffer

    init(config: ModelConfig, storage: KVStorage, pool: WorkerPool, kernels: KernelTable, maxTokens: Int) {
        self.config = config
        self.kernels = kernels
        self.pool = pool
        self.storage = storage
        plan = ForwardPlan(ForwardBatch(), config: config, storage: storage)
        func rows(_ width: Int) -> Buffer<Float> { Buffer(count: maxTokens * width) }
        residual = rows(config.hiddenSize)
        normedBuffer = MatrixRowsBuffer([(maxTokens, config.hiddenSize)], kernels: kernels)
        normed = normedBuffer.rows(width: config.hiddenSize)
        branch = rows(config.hiddenSize)
        query = rows(config.attentionHeads * config.headDimension)
        gate = rows(config.attentionHeads * config.headDimension)
        let attendedWidth = config.attentionHeads * config.headDimension
        attendedBuffer = MatrixRowsBuffer([(maxTokens, attendedWidth)], kernels: kernels)
        attended = attendedBuffer.rows(width: attendedWidth)
        key = rows(config.keyValueHeads * config.headDimension)
        value = rows(config.keyValueHeads * config.headDimension)
        cosines = rows(config.headDimension / 2)
        sines = rows(config.headDimension / 2)
        feedForward = FeedForwardBuffers(config: config, kernels: kernels, maxTokens: maxTokens)
        attentionScratch = Buffer(
            count: CacheReader.scratchCount(config, maxTokens: maxTokens, threads: pool.threads))
    }

    /// Returns the number of bytes of activations that `init` allocates.
    static func activationBytes(config: ModelConfig, kernels: KernelTable, maxTokens: Int, threads: Int) -> Int {
        let attended = config.attentionHeads * config.headDimension
        let row = 2 * config.hiddenSize + 2 * attended + (2 * config.keyValueHeads + 1) * config.headDimension
        return 4 * maxTokens * row
            + 4 * CacheReader.scratchCount(config, maxTokens: maxTokens, threads: threads)
            + MatrixRowsBuffer.bytes([(maxTokens, config.hiddenSize), (maxTokens, attended)], kernels: kernels)
            + FeedForwardBuffers.bytes(config: config, kernels: kernels, maxTokens: maxTokens)
    }

    func observe(_ probe: TransformerProbe, layer: Int, _ values: UnsafePointer<Float>, count: Int) {
        observer?(probe, layer, UnsafeBufferPointer(start: values, count: count))
    }

    /// Calls `body` with ranges of rows that are large enough for a thread.
    func forEachRowRange(_ body: (Range<Int>) -> Void) {
        pool.forEachRange(of: plan.rows, grain: 4, body)
    }
}

/// The intermediate results that a test can observe while a step runs. All have one row per token.
enum TransformerProbe: Hashable {
    case layerInput
    case layerOutput
    /// The output of attention before the norm that follows.
    case attentionBranch
    case mlpBranch
    case routerLogits
    /// The expert ids as floating-point numbers.
    case routerIDs
    case routerWeights
    /// The state after the last norm, of the rows that need logits.
    case finalHidden
}
