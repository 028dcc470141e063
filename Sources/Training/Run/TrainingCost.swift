import Checkpoints
import Engine

/// What training a model takes, from its shape alone: memory and operations.
///
/// Operations are the multiplications and additions of products forward and backward, of attention over visible keys with scores
/// computed twice, and of Muon. Element-wise work is not counted.
public struct TrainingCost: Sendable {
    private let config: ModelConfig
    private let precision: Precision
    /// All parameters of the model.
    public let parameters: Int
    /// Those of them that are trained.
    public let trained: Int
    /// Bytes of the weights.
    public let weightBytes: Int
    /// Bytes of the gradients of trained parameters.
    public let gradientBytes: Int
    /// Bytes of the optimizers' state: one number for each trained element of a matrix, two for the others.
    public let optimizerBytes: Int
    /// Bytes of the weights rounded to bfloat16, which are packed twice.
    public let roundedBytes: Int
    /// Operations of Muon in each step.
    public let optimizerOperations: Double
    /// Operations of the products of a token without the head, and of the head's for a target.
    private let tokenOperations, targetOperations: Double
    /// The layers before it have no backward pass.
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
            // Two operations for a weight in the output, in the gradient of the input, and in its own gradient.
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

    /// Bytes of weights, gradients and the optimizers' state, and of the rounded weights.
    public var stateBytes: Int { weightBytes + gradientBytes + optimizerBytes + roundedBytes }

    /// Bytes of a checkpoint: weights and the optimizers' state.
    public var checkpointBytes: Int { weightBytes + optimizerBytes }

    /// Bytes of the activations of a micro-batch.
    public func activationBytes(tokens: Int) -> Double {
        Double(ActivationMemory(config, precision).bytesPerToken) * Double(tokens)
    }

    /// Operations of a token in a row of one document, forward and backward, if every token is a target.
    public func operationsPerToken(length: Int) -> Double {
        operations(tokens: length, targets: length, pieces: [length]) / Double(length)
    }

    /// Operations of a micro-batch, forward and backward.
    func operations(_ batch: PackedBatch) -> Double {
        operations(
            tokens: batch.tokens, targets: batch.targetWeights.count { $0 > 0 }, pieces: batch.pieces.map(\.count))
    }

    /// - Parameter pieces: the tokens of each.
    private func operations(tokens: Int, targets: Int, pieces: [Int]) -> Double {
        // Two products forward; backward the scores again, and four.
        let attention = config.layerTypes.enumerated().reduce(0.0) { sum, layer in
            let window = layer.element == .sliding ? config.slidingWindow : nil
            let keys = pieces.reduce(0.0) { $0 + Self.visibleKeys($1, window: window) }
            return sum + (layer.offset >= firstTrainedLayer ? 14 : 4) * keys
        }
        return Double(tokens) * tokenOperations + Double(targets) * targetOperations
            + Double(config.attentionHeads * config.headDimension) * attention
    }

    /// The sum over the queries of a piece.
    private static func visibleKeys(_ count: Int, window: Int?) -> Double {
        let seen = Double(min(window ?? count, count))
        return seen * (seen + 1) / 2 + (Double(count) - seen) * seen
    }

    /// The part of the peak that steps in bfloat16 reach.
    private static let reachedShare = 0.4

    /// The rate of steps on this machine in operations a second, from what is measured for a moment: in float32 that of products,
    /// which steps do not quite reach; in bfloat16 a share of the peak, between those that were measured of steps.
    ///
    /// - Throws: `TrainingError.unsupported` when OpenBLAS is not installed.
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
