import Checkpoints
import Engine

/// The factors of the objective, and the totals of the whole step by which each micro-batch's losses are divided.
public struct StepObjective: Sendable, Equatable {
    /// The factor of the z-loss.
    public var zFactor = 1e-4
    /// The factor of the sequence-wise balance loss.
    public var balanceFactor = 1e-4
    /// The sum of target weights of all micro-batches.
    public var targetWeight: Double
    /// The number of rows of all micro-batches.
    public var rows: Int
}

/// The contribution of a micro-batch to the losses of a step.
public struct MicroBatchLoss: Sendable, Equatable {
    /// Cross-entropy and z-loss, divided by the step's target weight.
    public var crossEntropy: Double
    public var z: Double
    /// The balance loss, divided by the number of rows of the step and summed over layers.
    public var balance: Double
    /// The number of tokens of each expert, for each layer with experts.
    public var expertCounts: [[Int]]
    public var logits = LogitStatistics()
}

/// The precision of the operands of matrix products.
public enum Precision: String, Sendable, CaseIterable {
    /// bfloat16, with sums in float32. The router stays in float32.
    case bf16
    /// float32.
    case exact
}

/// An AFMoE model in training: float32 weights, and their gradients from explicit formulas.
public final class TrainingModel {
    public let config: ModelConfig
    public let layout: ParameterLayout
    let weights: TrainedTensors
    /// The gradients, without memory for frozen tensors.
    let gradients: TrainedTensors
    /// The names of tensors that do not change, including expert biases.
    let frozen: Set<String>
    /// Layers before this one need no backward pass.
    private let firstTrainedLayer: Int
    /// The expert biases (experts), for each layer with experts.
    public internal(set) var biases: [[Float]]
    let products: MatrixProducts
    /// The products for Muon. With `exact` they are the same as those of the passes.
    let optimizerProducts: MatrixProducts
    let precision: Precision
    /// The clock of the current step's parts.
    var clock = StepClock()
    let layers: [LayerParameters]
    /// Computes the gradients in bfloat16; `nil` with `exact`.
    private let rounded: RoundedModel?

    /// Creates a model whose weights are zero.
    ///
    /// - Parameters:
    ///   - kernels: the kernels for products in bfloat16.
    ///   - frozen: the names of tensors that do not change.
    /// - Throws: `TrainingError.unsupported` as from ``check(_:)``.
    package init(
        _ config: ModelConfig, pool: WorkerPool, precision: Precision = .exact,
        kernels: KernelSet = KernelSet.available.last ?? .portable, frozen: Set<String> = []
    ) throws(TrainingError) {
        try Self.check(config)
        (self.config, self.precision, self.frozen) = (config, precision, frozen)
        products = try MatrixProducts(pool: pool)
        optimizerProducts =
            precision == .exact ? products : try MatrixProducts(pool: pool, kernels: kernels.trainingKernels)
        let layout = ParameterLayout(config)
        self.layout = layout
        weights = TrainedTensors(layout)
        gradients = TrainedTensors(layout) { !frozen.contains($0.name) }
        firstTrainedLayer = ParameterLayout.firstTrainedLayer(config, layout.trained(except: frozen))
        layers = (0..<config.layers).map { LayerParameters(layer: $0, config: config, layout: layout) }
        biases = (config.denseLayers..<config.layers).map { _ in [Float](repeating: 0, count: config.experts) }
        switch precision {
        case .exact: rounded = nil
        case .bf16:
            let context = RoundedContext(
                config, kernels: kernels.trainingKernels, pool: pool, weights: weights, gradients: gradients)
            rounded = RoundedModel(
                context, layers: layers, layout: layout, firstTrainedLayer: firstTrainedLayer)
        }
    }

    /// Checks that a model of this configuration can be trained.
    ///
    /// - Throws: `TrainingError.unsupported` for a mixture with a score function other than sigmoid, or for groups of experts.
    public static func check(_ config: ModelConfig) throws(TrainingError) {
        guard config.denseLayers < config.layers else { return }
        guard config.scoreFunction == .sigmoid else {
            throw .unsupported("score_func: only sigmoid can be trained")
        }
        guard config.expertGroups == 1 else { throw .unsupported("n_group: only 1 can be trained") }
    }

    /// Begins a step and clears the gradients. The weights must not change until the last micro-batch of the step.
    func beginStep() {
        clock = StepClock()
        products.pool.forEachPiece(of: gradients.memory.count, size: 1 << 18) { _, range in
            (gradients.memory.base + range.lowerBound).update(repeating: 0, count: range.count)
        }
        rounded?.pack()
        clock.add(\.forward)
    }

    /// Adds the gradients of a micro-batch's part of the objective to ``gradients``.
    func accumulate(_ batch: PackedBatch, _ objective: StepObjective) -> MicroBatchLoss {
        rounded?.accumulate(batch, objective, biases: biases, clock: &clock) ?? accumulateExactly(batch, objective)
    }

    private func accumulateExactly(_ batch: PackedBatch, _ objective: StepObjective) -> MicroBatchLoss {
        let pool = products.pool
        let context = LayerContext(
            config: config, weights: weights, products: products,
            norm: RMSNorm(epsilon: config.normEpsilon, pool: pool))
        let (tokens, hidden) = (batch.tokens, config.hiddenSize)
        let memory = Buffer<Float>(count: 3 * tokens * hidden)
        let x = Matrix(memory.base, rows: tokens, columns: hidden)
        let h = Matrix(memory.base + tokens * hidden, rows: tokens, columns: hidden)
        let dh = Matrix(h.base + tokens * hidden, rows: tokens, columns: hidden)
        embed(batch.ids, into: x)
        let rotary = RotaryPositions(config, positions: batch.positions, pool: pool)
        var (passes, routings) = ([DecoderLayer](), [ExpertRouting]())
        for (index, layer) in layers.enumerated() {
            let pass = DecoderLayer(layer, bias: bias(layer: index), x: x, batch: batch, rotary: rotary, context)
            if let routing = pass.routing { routings.append(routing) }
            if index >= firstTrainedLayer { passes.append(pass) }
        }
        clock.add(\.forward)
        let finalNorm = layout.parameter("model.norm.weight")
        context.norm.forward(x, gain: weights.pointer(finalNorm), into: h)
        let sums = OutputHead(weight: weights.matrix(head), products: products).train(
            h, batch: batch, targetWeight: objective.targetWeight, zFactor: objective.zFactor, into: dh,
            gradient: gradients.kept(head))

        let balance = routings.reduce(0.0) { total, routing in
            batch.rows.reduce(total) { $0 + BalanceLoss.value($1, of: routing) }
        }
        // `h` is reused for the gradient of the residual stream.
        let dx = h
        context.norm.backward(
            dh, x: x, gain: weights.pointer(finalNorm), into: dx, gainGradient: gradients.kept(finalNorm)?.base)
        while let pass = passes.popLast() {
            pass.backward(
                dx, rows: batch.rows, balance: Float(objective.balanceFactor / Double(objective.rows)),
                gradients: gradients)
        }
        if let gradient = gradients.kept(embedding) { addEmbeddingGradient(dx, ids: batch.ids, to: gradient) }
        clock.add(\.backward)
        return MicroBatchLoss(
            crossEntropy: sums.crossEntropy / objective.targetWeight, z: sums.z / objective.targetWeight,
            balance: balance / Double(objective.rows), expertCounts: routings.map(\.counts), logits: sums.logits)
    }

    /// Writes the scaled embeddings of the tokens to x.
    func embed(_ ids: [Int32], into x: Matrix) {
        let (table, scale) = (weights.matrix(embedding), embeddingScale)
        for (token, id) in ids.enumerated() {
            let (source, target) = (table.row(Int(id)), x.row(token))
            for column in 0..<x.columns { target[column] = source[column] * scale }
        }
    }

    private var embedding: Parameter { layout.parameter("model.embed_tokens.weight") }
    /// The parameter of the LM head.
    var head: Parameter { config.tiesEmbeddings ? embedding : layout.parameter("lm_head.weight") }
    private var embeddingScale: Float { config.scalesEmbeddings ? Float(config.hiddenSize).squareRoot() : 1 }

    /// Returns the biases of a layer's experts; empty for a dense layer.
    func bias(layer: Int) -> [Float] { layer < config.denseLayers ? [] : biases[layer - config.denseLayers] }

    /// A token may occur several times. Therefore threads divide the columns, and each thread adds all tokens in order.
    private func addEmbeddingGradient(_ dx: Matrix, ids: [Int32], to gradient: Matrix) {
        let scale = embeddingScale
        products.pool.forEachPiece(of: gradient.columns, size: 64) { _, columns in
            for (token, id) in ids.enumerated() {
                Vectors.add(
                    dx.row(token) + columns.lowerBound, times: scale,
                    to: gradient.row(Int(id)) + columns.lowerBound, columns.count)
            }
        }
    }
}
