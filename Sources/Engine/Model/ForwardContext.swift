import Scheduling

/// What the layers of one model share while a step runs: the machine, the cache, and the activations, which are
/// allocated once for the largest step. Activations are float32 and row-major.
final class ForwardContext {
    let config: ModelConfig
    let kernels: KernelTable
    let pool: WorkerPool
    let storage: KVStorage
    var plan: ForwardPlan
    /// For tests; see ``TransformerProbe``.
    var observer: ((TransformerProbe, Int, UnsafeBufferPointer<Float>) -> Void)?

    /// The residual stream, (tokens, hiddenSize)
    let residual: Buffer<Float>
    /// The normalized input of attention or MLP, (tokens, hiddenSize)
    let normed: Buffer<Float>
    /// The output of attention or MLP, (tokens, hiddenSize)
    let branch: Buffer<Float>
    /// (tokens, attentionHeads, headDimension)
    let query: Buffer<Float>
    let gate: Buffer<Float>
    let attended: Buffer<Float>
    /// (tokens, keyValueHeads, headDimension)
    let key: Buffer<Float>
    let value: Buffer<Float>
    /// (tokens, headDimension / 2)
    let cosines: Buffer<Float>
    let sines: Buffer<Float>
    let feedForward: FeedForwardBuffers

    init(config: ModelConfig, storage: KVStorage, pool: WorkerPool, kernels: KernelTable, maxTokens: Int) {
        self.config = config
        self.kernels = kernels
        self.pool = pool
        self.storage = storage
        plan = ForwardPlan(ForwardBatch(), config: config, storage: storage)
        func rows(_ width: Int) -> Buffer<Float> { Buffer(count: maxTokens * width) }
        residual = rows(config.hiddenSize)
        normed = rows(config.hiddenSize)
        branch = rows(config.hiddenSize)
        query = rows(config.attentionHeads * config.headDimension)
        gate = rows(config.attentionHeads * config.headDimension)
        attended = rows(config.attentionHeads * config.headDimension)
        key = rows(config.keyValueHeads * config.headDimension)
        value = rows(config.keyValueHeads * config.headDimension)
        cosines = rows(config.headDimension / 2)
        sines = rows(config.headDimension / 2)
        feedForward = FeedForwardBuffers(config: config, maxTokens: maxTokens)
    }

    /// Bytes of activations that `init` allocates.
    static func activationBytes(config: ModelConfig, maxTokens: Int) -> Int {
        let heads = 3 * config.attentionHeads + 2 * config.keyValueHeads
        let row = 3 * config.hiddenSize + heads * config.headDimension + config.headDimension / 2 * 2
        return 4 * maxTokens * row + FeedForwardBuffers.bytes(config: config, maxTokens: maxTokens)
    }

    func observe(_ probe: TransformerProbe, layer: Int, _ values: UnsafePointer<Float>, count: Int) {
        observer?(probe, layer, UnsafeBufferPointer(start: values, count: count))
    }

    /// Rows in ranges worth a thread's while.
    func forEachRowRange(_ body: (Range<Int>) -> Void) {
        pool.forEachRange(of: plan.rows, grain: 4, body)
    }
}

/// What a test can look at while a step runs; all with one row a token.
enum TransformerProbe: Hashable {
    case layerInput
    case layerOutput
    /// Before the norm that follows.
    case attentionBranch
    case mlpBranch
    case routerLogits
    /// Expert ids as numbers.
    case routerIDs
    case routerWeights
    /// After the last norm, of the rows whose logits are wanted.
    case finalHidden
}
