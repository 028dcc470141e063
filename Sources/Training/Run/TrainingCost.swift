import Checkpoints
import Engine

/// The memory and operations that training a model needs, computed from its shape alone.
///
/// Operations are the multiplications and additions of forward and backward products, of attention over visible keys (with scores
/// computed twice), and of Muon. Element-wise operations are not counted.
public struct TrainingCost: Sendable {
    private let config: ModelConfig
    private let precision: Precision
    /// The number of parameters of the model.
    public let parameters: Int
    /// The number of trained parameters.
    public let trained: Int
    /// The size of the weights in bytes.
    public let weightBytes: Int
    /// The size of the gradients of trained parameters in bytes.
    public let gradientBytes: Int
    /// The size of the optimizer state in bytes: one number for each trained element of a matrix, two for other elements.
    public let optimizerBytes: Int
    /// The size of the weights rounded to bfloat16 in bytes. They are packed twice.
    public let roundedBytes: Int
    /// The number of operations of Muon per step.
    public let optimizerOperations: Double
    /// The number of operations of products per token without the head, and of the head per target.
    private let tokenOperations, targetOperations: Double
    /// Layers before this one have no backward pass.
    private let firstTrainedLayer: Int

    /// - Parameter frozen: the names of tensors that do not change.
    public init(_ config: ModelConfig, frozen: Set<String> = [], precision: Precision) {
        (self.config, self.precision) = (config, precision)
        let layout = ParameterLayout(config)
        let trained = layout.trained(except: frozen)
        let firstTrained = ParameterLayout.firstTrainedLayer(config, trained)
        let float = MemoryLayout<Float>.size
        parameters = layout.parameters.reduce(0) { $0 + $1.count }
        self.trained = trained.reduce(0) { $0 + $1.count }
        weightBytes = float * layout.count
        gradientBytes = trained.reduce(0) { $0 + float * ParameterLayout.room(for: $1) }
        optimizerBytes = trained.reduce(0) {
            $0 + ($1.kind == .matrix ? 1 : 2) * float * ParameterLayout.room(for: $1)
        }
        roundedBytes = precision == .bf16 ? float * layout.count : 0
        optimizerOperations = trained.filter { $0.kind == .matrix }.reduce(0) { sum, parameter in
            let short = Double(min(parameter.rows, parameter.columns))
            let long = Double(max(parameter.rows, parameter.columns))
            return sum + 5 * (4 * short * short * long + 2 * short * short * short)
        }
        let chosen = Double(config.expertsPerToken) / Double(max(config.experts, 1))
        let head = config.tiesEmbeddings ? Parameter.Kind.embedding : .head
        var (tokenOperations, targetOperations) = (0.0, 0.0)
        for parameter in layout.parameters {
            // Two operations per weight for the output, for the gradient of the input, and for the weight's own gradient.
            let own = frozen.contains(parameter.name) ? 0.0 : 2
            let size = Double(parameter.count)
            if parameter.kind == head { targetOperations = (4 + own) * size }
            guard parameter.kind == .matrix || parameter.kind == .router else { continue }
            let isActive = (ParameterLayout.layer(of: parameter.name) ?? 0) >= firstTrained
            tokenOperations +=
                (isActive ? 4 + own : 2) * size * (parameter.name.contains(".mlp.experts.") ? chosen : 1)
        }
        (self.tokenOperations, self.targetOperations) = (tokenOperations, targetOperations)
        firstTrainedLayer = firstTrained
    }

    /// The size of weights, gradients, optimizer state and rounded weights in bytes.
    public var stateBytes: Int { weightBytes + gradientBytes + optimizerBytes + roundedBytes }

    /// The size of a checkpoint in bytes: weights and optimizer state.
    public var checkpointBytes: Int { weightBytes + optimizerBytes }

    /// Returns the size of a micro-batch's activations in bytes.
    public func activationBytes(tokens: Int) -> Double {
        Double(ActivationMemory(config, precision).bytesPerToken) * Double(tokens)
    }

    /// Returns the number of operations per token in a row of one document, forward and backward, if every token is a target.
    public func operationsPerToken(length: Int) -> Double {
        operations(tokens: length, targets: length, pieces: [length]) / Double(length)
    }

    /// Returns the number of operations of a micro-batch, forward and backward.
    func operations(_ batch: PackedBatch) -> Double {
        operations(
            tokens: batch.tokens, targets: batch.targetWeights.count { $0 > 0 }, pieces: batch.pieces.map(\.count))
    }

    /// - Parameter pieces: the number of tokens of each piece.
    private func operations(tokens: Int, targets: Int, pieces: [Int]) -> Double {
        // The forward pass has two products. The backward pass recomputes the scores and has four more.
        let attention = config.layerTypes.enumerated().reduce(0.0) { sum, layer in
            let window = layer.element == .sliding ? config.slidingWindow : nil
            let keys = pieces.reduce(0.0) { $0 + Self.visibleKeys($1, window: window) }
            return sum + (layer.offset >= firstTrainedLayer ? 14 : 4) * keys
        }
        return Double(tokens) * tokenOperations + Double(targets) * targetOperations
            + Double(config.attentionHeads * config.headDimension) * attention
    }

    /// Returns the number of visible keys, summed over the queries of a piece.
    private static func visibleKeys(_ count: Int, window: Int?) -> Double {
        let seen = Double(min(window ?? count, count))
        return seen * (seen + 1) / 2 + (Double(count) - seen) * seen
    }

    /// The fraction of the peak rate that steps in bfloat16 reach.
    private static let reachedShare = 0.4

    /// Returns the expected rate of steps on this machine in operations per second, from a short measurement. In float32 it is
    /// the rate of products, which steps do not quite reach. In bfloat16 it is a fraction of the peak rate, chosen between the
    /// fractions measured for steps.
    ///
    /// - Throws: `TrainingError.unsupported` if OpenBLAS is not installed.
    public static func measuredRate(threads: Int, precision: Precision) throws(TrainingError) -> Double {
        let pool = WorkerPool(threads: threads)
        let products = try MatrixProducts(pool: pool)
        if precision == .bf16 { return reachedShare * KernelSet.peakRate(of: pool) }
        let size = 1024
        let memory = Buffer<Float>(count: 3 * size * size)
        let matrices = (0..<3).map { Matrix(memory.base + $0 * size * size, rows: size, columns: size) }
        var best = 0.0
        for _ in 0..<5 {
            let start = ContinuousClock.now
            products.run([.output(matrices[0], matrices[1], into: matrices[2])])
            best = max(best, 2 * Double(size * size * size) / ((ContinuousClock.now - start) / .seconds(1)))
        }
        return best
    }
}
