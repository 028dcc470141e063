import Checkpoints
import Scheduling

/// The AFMoE model: runs the rows of a step through all layers and returns logits.
///
/// A row's results are bit-identical regardless of the batch, the chunks of its prompt and the number of threads. Not Sendable:
/// it is used only on the engine thread.
package final class Transformer {
    private let config: ModelConfig
    private let weights: ModelWeights
    private let context: ForwardContext
    private let layers: [DecoderLayer]
    private let rotary: RotaryEmbedding
    private let maxTokens: Int
    package let maxLogitRows: Int
    /// (maxLogitRows, vocabularySize)
    private let logits: Buffer<Float>
    /// (maxLogitRows, hiddenSize)
    private let finalHidden: MatrixRowsBuffer
    /// (hiddenSize), of one row whose hidden state is requested.
    private let pooledHidden: Buffer<Float>

    /// - Parameters:
    ///   - maxTokens: rows of the largest step
    ///   - maxLogitRows: the maximum number of rows of a step that need logits
    init(
        config: ModelConfig, weights: ModelWeights, storage: KVStorage, pool: WorkerPool, kernels: KernelTable,
        maxTokens: Int, maxLogitRows: Int
    ) {
        self.config = config
        self.weights = weights
        self.maxTokens = maxTokens
        self.maxLogitRows = maxLogitRows
        context = ForwardContext(config: config, storage: storage, pool: pool, kernels: kernels, maxTokens: maxTokens)
        layers = weights.layers.enumerated().map { index, layer in
            DecoderLayer(index: index, weights: layer, config: config)
        }
        rotary = RotaryEmbedding(config.rope, headDimension: config.headDimension)
        logits = Buffer(count: maxLogitRows * config.vocabularySize)
        finalHidden = MatrixRowsBuffer([(maxLogitRows, config.hiddenSize)], kernels: kernels)
        pooledHidden = Buffer(count: config.hiddenSize)
    }

    /// Bytes of activations and logits that `init` allocates.
    static func activationBytes(
        config: ModelConfig, kernels: KernelTable, maxTokens: Int, maxLogitRows: Int, threads: Int
    ) -> Int {
        ForwardContext.activationBytes(config: config, kernels: kernels, maxTokens: maxTokens, threads: threads)
            + 4 * (maxLogitRows * config.vocabularySize + config.hiddenSize)
            + MatrixRowsBuffer.bytes([(maxLogitRows, config.hiddenSize)], kernels: kernels)
    }

    /// Runs one step: writes the rows' keys and values to the cache and returns the logits of the requested rows, (logitRows,
    /// vocabularySize), valid until the next call.
    ///
    /// - Precondition: at most `maxTokens` rows and `maxLogitRows` requested ones, token ids below the vocabulary's size, and
    ///   tables with every logical block that the rows can attend to.
    package func forward(_ batch: ForwardBatch) -> UnsafeBufferPointer<Float> {
        precondition(batch.tokens.count <= maxTokens, "a step fits the activation buffers")
        context.plan = ForwardPlan(batch, config: config, storage: context.storage)
        context.traffic = MemoryTraffic()
        embed(batch.tokens)
        for layer in layers { layer.forward(context) }
        return logits(of: batch.logitRows)
    }

    /// What the last step has read.
    package var traffic: MemoryTraffic { context.traffic }

    /// Observes intermediate results as (what, layer, values); for tests.
    func observe(_ observer: @escaping (TransformerProbe, Int, UnsafeBufferPointer<Float>) -> Void) {
        context.observer = observer
    }

    private func embed(_ tokens: [Int32]) {
        let hidden = config.hiddenSize
        let half = config.headDimension / 2
        context.traffic.weightBytes += tokens.count * weights.embedding.bytesPerRow
        let factor = config.scalesEmbeddings ? Float(hidden).squareRoot() : 1
        context.forEachRowRange { rows in
            for row in rows {
                weights.embedding.unpack(
                    row: Int(tokens[row]), factor: factor, into: context.residual.base + row * hidden,
                    kernels: context.kernels)
                rotary.fill(
                    position: context.plan.positions[row], cosines: context.cosines.base + row * half,
                    sines: context.sines.base + row * half)
            }
        }
        context.observe(.layerInput, layer: 0, context.residual.base, count: tokens.count * hidden)
    }

    /// Calls `body` with the final hidden state of each of `rows` of the last step in order, (hiddenSize), after the last norm.
    func forEachFinalHidden(of rows: Range<Int>, _ body: (UnsafeBufferPointer<Float>) -> Void) {
        let hidden = config.hiddenSize
        for row in rows {
            context.kernels.family.rmsNorm(
                x: context.residual.base + row * hidden, weight: weights.finalNorm.base, out: pooledHidden.base,
                rows: 1,
                width: hidden, epsilon: config.normEpsilon)
            body(UnsafeBufferPointer(start: pooledHidden.base, count: hidden))
        }
    }

    /// The logits of rows of the last step, (rows, vocabularySize), valid until the next call of this or `forward`. For more
    /// rows than fit at once.
    ///
    /// - Precondition: at most `maxLogitRows` rows.
    package func logits(of rows: [Int]) -> UnsafeBufferPointer<Float> {
        precondition(rows.count <= maxLogitRows, "the wanted rows fit the logits buffer")
        // The middle chunks of a prompt need no logits, and the LM head is the largest matrix.
        guard !rows.isEmpty else { return UnsafeBufferPointer(start: nil, count: 0) }
        let hidden = config.hiddenSize
        let finalHidden = finalHidden.rows(width: hidden)
        for (index, row) in rows.enumerated() {
            context.kernels.family.rmsNorm(
                x: context.residual.base + row * hidden, weight: weights.finalNorm.base,
                out: finalHidden.values + index * hidden, rows: 1, width: hidden, epsilon: config.normEpsilon)
        }
        finalHidden.encode(rows: 0..<rows.count, columns: 0..<hidden, width: hidden, kernels: context.kernels)
        context.observe(.finalHidden, layer: layers.count, finalHidden.values, count: rows.count * hidden)
        context.traffic.weightBytes += weights.lmHead.bytes + weights.finalNorm.bytes
        let lmHead = weights.lmHead.view
        context.pool.forEachSlice(of: lmHead.blocks) { blocks in
            lmHead.multiply(
                finalHidden, xRows: nil, tokens: rows.count, into: logits.base, yStride: config.vocabularySize,
                blocks: blocks, kernels: context.kernels)
        }
        return UnsafeBufferPointer(start: logits.base, count: rows.count * config.vocabularySize)
    }
}
