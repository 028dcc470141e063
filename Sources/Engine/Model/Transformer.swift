import Checkpoints
import Scheduling

/// The AFMoE model, which runs the rows of a step through all layers and returns logits. If the model is divided into stages, each
/// transformer has the layers of one stage, and the first also has the embeddings and the LM head.
///
/// A row's results are bit-identical regardless of the batch, the chunks of its prompt and the number of threads. The type is not
/// Sendable, because only the engine thread uses it.
package final class Transformer {
    private let config: ModelConfig
    /// The embeddings and the LM head, or `nil` in a stage that is not the first.
    private let vocabulary: ModelWeights.Vocabulary?
    private let context: ForwardContext
    private let layers: [DecoderLayer]
    private let rotary: RotaryEmbedding
    private let maxTokens: Int
    package let maxLogitRows: Int
    /// (maxLogitRows, vocabularySize)
    private let logits: Buffer<Float>
    /// (maxLogitRows, hiddenSize)
    private let finalHidden: MatrixRowsBuffer
    /// The state of one row whose hidden state is requested, (hiddenSize)
    private let pooledHidden: Buffer<Float>
    /// The rows that the last stage returned, (tokens, hiddenSize), or `nil` if this stage has the last layer.
    private let returnedRows: Buffer<Float>?
    /// A function that is called after each layer.
    var afterLayer: (() -> Void)?

    /// - Parameters:
    ///   - maxTokens: The number of rows of the largest step.
    ///   - maxLogitRows: The maximum number of rows of a step that need logits.
    ///   - stage: The stage of `weights`, or `nil` for the whole model.
    init(
        config: ModelConfig, weights: ModelWeights, storage: KVStorage, pool: WorkerPool, kernels: KernelTable,
        maxTokens: Int, maxLogitRows: Int, stage: Stage? = nil
    ) {
        let stage = stage ?? .whole(config)
        let logitRows = stage.isFirst ? maxLogitRows : 0
        self.config = config
        vocabulary = weights.vocabulary
        self.maxTokens = maxTokens
        self.maxLogitRows = maxLogitRows
        context = ForwardContext(config: config, storage: storage, pool: pool, kernels: kernels, maxTokens: maxTokens)
        layers = weights.layers.enumerated().map { index, layer in
            DecoderLayer(index: stage.layers.lowerBound + index, weights: layer, config: config)
        }
        rotary = RotaryEmbedding(config.rope, headDimension: config.headDimension)
        logits = Buffer(count: logitRows * config.vocabularySize)
        finalHidden = MatrixRowsBuffer([(logitRows, config.hiddenSize)], kernels: kernels)
        pooledHidden = Buffer(count: config.hiddenSize)
        returnedRows = stage.isFirst && !stage.isLast ? Buffer(count: maxTokens * config.hiddenSize) : nil
    }

    /// Returns the number of bytes of activations and logits that `init` allocates.
    static func activationBytes(
        config: ModelConfig, kernels: KernelTable, maxTokens: Int, maxLogitRows: Int, threads: Int, stage: Stage? = nil
    ) -> Int {
        let stage = stage ?? .whole(config)
        let logitRows = stage.isFirst ? maxLogitRows : 0
        let returned = stage.isFirst && !stage.isLast ? maxTokens : 0
        return ForwardContext.activationBytes(config: config, kernels: kernels, maxTokens: maxTokens, threads: threads)
            + 4 * (logitRows * config.vocabularySize + (returned + 1) * config.hiddenSize)
            + MatrixRowsBuffer.bytes([(logitRows, config.hiddenSize)], kernels: kernels)
    }

    /// Runs one step of a model that is not divided. Writes the rows' keys and values to the cache and returns the logits of the
    /// requested rows, (logitRows, vocabularySize). They are valid until the next call.
    ///
    /// - Precondition: There are at most `maxTokens` rows and `maxLogitRows` requested ones, token ids are less than the vocabulary
    ///   size, and the tables have every logical block that the rows can attend to.
    package func forward(_ batch: ForwardBatch) -> UnsafeBufferPointer<Float> {
        begin(batch)
        return logits(of: batch.logitRows)
    }

    /// Starts a step in the first stage: runs its layers from token ids to ``residual(rows:)``.
    ///
    /// - Precondition: That of `forward`.
    func begin(_ batch: ForwardBatch) {
        prepare(batch)
        embed(batch.tokens)
        runLayers()
    }

    /// Continues a step in another stage: runs its layers from the residual stream of the previous stage to ``residual(rows:)``.
    ///
    /// - Parameter rows: (tokens, hiddenSize) in float32.
    /// - Precondition: There are at most `maxTokens` rows, and the tables meet the precondition of `forward`.
    func resume(_ batch: ForwardBatch, rows: UnsafeRawBufferPointer) {
        prepare(batch)
        context.forEachRowRange { for row in $0 { fillAngles(row: row) } }
        UnsafeMutableRawBufferPointer(start: context.residual.base, count: rows.count).copyMemory(from: rows)
        runLayers()
    }

    /// Stores rows that the last stage returned, for ``logits(of:)`` and ``forEachFinalHidden(of:_:)``.
    ///
    /// - Parameters:
    ///   - numbers: The numbers of these rows in the step.
    ///   - rows: (numbers, hiddenSize) in float32.
    func takeFinalRows(_ numbers: [Int], _ rows: UnsafeRawBufferPointer) {
        let bytes = config.hiddenSize * MemoryLayout<Float>.size
        let target = (returnedRows ?? context.residual).base
        for (index, row) in numbers.enumerated() {
            UnsafeMutableRawBufferPointer(start: target + row * config.hiddenSize, count: bytes)
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rows[index * bytes..<(index + 1) * bytes]))
        }
    }

    /// Returns the residual stream of the last step after the stage's layers, (rows, hiddenSize).
    func residual(rows: Int) -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(start: context.residual.base, count: rows * config.hiddenSize)
    }

    private func prepare(_ batch: ForwardBatch) {
        precondition(batch.tokens.count <= maxTokens, "a step fits the activation buffers")
        context.plan = ForwardPlan(batch, config: config, storage: context.storage)
        context.traffic = MemoryTraffic()
    }

    private func fillAngles(row: Int) {
        let half = config.headDimension / 2
        rotary.fill(
            position: context.plan.positions[row], cosines: context.cosines.base + row * half,
            sines: context.sines.base + row * half)
    }

    private func runLayers() {
        layers.first?.normalizeInput(context)
        for (index, layer) in layers.enumerated() {
            layer.forward(context, next: index + 1 < layers.count ? layers[index + 1] : nil)
            afterLayer?()
        }
    }

    /// The memory traffic of the last step.
    package var traffic: MemoryTraffic {
        get { context.traffic }
        set { context.traffic = newValue }
    }

    /// Sets a function that observes intermediate results as (probe, layer, values), for tests.
    func observe(_ observer: @escaping (TransformerProbe, Int, UnsafeBufferPointer<Float>) -> Void) {
        context.observer = observer
    }

    private func embed(_ tokens: [Int32]) {
        guard let embedding = vocabulary?.embedding else { preconditionFailure("the first stage has the embeddings") }
        let hidden = config.hiddenSize
        context.traffic.weightBytes += tokens.count * embedding.bytesPerRow
        let factor = config.scalesEmbeddings ? Float(hidden).squareRoot() : 1
        context.forEachRowRange { rows in
            for row in rows {
                embedding.unpack(
                    row: Int(tokens[row]), factor: factor, into: context.residual.base + row * hidden,
                    kernels: context.kernels)
                fillAngles(row: row)
            }
        }
        context.observe(.layerInput, layer: 0, context.residual.base, count: tokens.count * hidden)
    }

    /// Calls `body` with the final hidden state of each of `rows` of the last step in order, (hiddenSize), after the last norm.
    func forEachFinalHidden(of rows: Range<Int>, _ body: (UnsafeBufferPointer<Float>) -> Void) {
        let hidden = config.hiddenSize
        for row in rows {
            normalize(row: row, into: pooledHidden.base)
            body(UnsafeBufferPointer(start: pooledHidden.base, count: hidden))
        }
    }

    /// Writes the final hidden state of a row of the last step, (hiddenSize), after the last norm.
    private func normalize(row: Int, into hidden: UnsafeMutablePointer<Float>) {
        guard let finalNorm = vocabulary?.finalNorm else { preconditionFailure("the first stage has the last norm") }
        context.kernels.family.rmsNorm(
            x: (returnedRows ?? context.residual).base + row * config.hiddenSize, weight: finalNorm.base, out: hidden,
            rows: 1,
            width: config.hiddenSize, epsilon: config.normEpsilon)
    }

    /// Returns the logits of rows of the last step, (rows, vocabularySize). They are valid until the next call of this method or of
    /// `forward`. Call this repeatedly for more rows than fit at once.
    ///
    /// - Precondition: There are at most `maxLogitRows` rows.
    package func logits(of rows: [Int]) -> UnsafeBufferPointer<Float> {
        precondition(rows.count <= maxLogitRows, "the wanted rows fit the logits buffer")
        // All chunks of a prompt but the last need no logits, and the LM head is the largest matrix.
        guard !rows.isEmpty, let vocabulary else { return UnsafeBufferPointer(start: nil, count: 0) }
        let hidden = config.hiddenSize
        let finalHidden = finalHidden.rows(width: hidden)
        context.pool.forEachRange(of: rows.count, grain: 4) { range in
            for index in range { normalize(row: rows[index], into: finalHidden.values + index * hidden) }
            finalHidden.encode(rows: range, columns: 0..<hidden, width: hidden, kernels: context.kernels)
        }
        context.observe(.finalHidden, layer: layers.count, finalHidden.values, count: rows.count * hidden)
        context.traffic.weightBytes += vocabulary.lmHead.bytes + vocabulary.finalNorm.bytes
        let lmHead = vocabulary.lmHead.view
        context.pool.forEachSlice(of: lmHead.slices()) { blocks in
            lmHead.multiply(
                finalHidden, xRows: nil, tokens: rows.count, into: logits.base, yStride: config.vocabularySize,
                blocks: blocks, kernels: context.kernels)
        }
        return UnsafeBufferPointer(start: logits.base, count: rows.count * config.vocabularySize)
    }
}
