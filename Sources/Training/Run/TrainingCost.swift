import Checkpoints
import Engine

/// What training a model takes, from its shape alone.
public struct TrainingCost: Sendable {
    private let config: ModelConfig
    private let layout: ParameterLayout
    private let frozen: Set<String>

    /// - Parameter frozen: the names of tensors that do not change.
    public init(_ config: ModelConfig, frozen: Set<String> = []) {
        (self.config, self.frozen) = (config, frozen)
        layout = ParameterLayout(config)
    }

    /// Parameters, and those of them that are trained.
    public var parameters: Int { layout.parameters.reduce(0) { $0 + $1.count } }
    public var trained: Int { trainedParameters.reduce(0) { $0 + $1.count } }

    private var trainedParameters: [Parameter] { layout.parameters.filter { !frozen.contains($0.name) } }

    /// Bytes of the weights, and as many of their gradients.
    public var weightBytes: Int { MemoryLayout<Float>.size * layout.count }

    /// Bytes of the optimizers' state: one number for each element of a matrix, two for the others.
    public var optimizerBytes: Int {
        trainedParameters.reduce(0) { sum, parameter in
            sum + (parameter.kind == .matrix ? 1 : 2) * MemoryLayout<Float>.size * ParameterLayout.room(for: parameter)
        }
    }

    /// Bytes of weights, gradients and the optimizers' state.
    public var stateBytes: Int { 2 * weightBytes + optimizerBytes }

    /// Bytes of the activations of a micro-batch.
    public func activationBytes(tokens: Int) -> Double {
        Double(ActivationMemory(config).bytesPerToken) * Double(tokens)
    }

    /// Multiplications and additions of a token in a row of one document, forward and backward, if every token is a target.
    public func operationsPerToken(length: Int) -> Double {
        let (hidden, queries) = (config.hiddenSize, config.attentionHeads * config.headDimension)
        let attention = hidden * (3 * queries + 2 * config.keyValueHeads * config.headDimension)
        let chosen = config.expertsPerToken + config.sharedExperts
        let sparse = hidden * (3 * config.expertIntermediateSize * chosen + config.experts)
        let products =
            config.layers * attention + config.denseLayers * 3 * hidden * config.intermediateSize
            + (config.layers - config.denseLayers) * sparse + config.vocabularySize * hidden
        let keys = config.layerTypes.reduce(0.0) { sum, type in
            let window = Double(type == .full ? length : min(config.slidingWindow, length))
            // The first queries of a document see fewer keys than the window holds.
            return sum + window - window * (window - 1) / (2 * Double(length))
        }
        return 6 * Double(products) + 14 * Double(queries) * keys
    }

    /// Those of Muon in each step.
    public var optimizerOperations: Double {
        trainedParameters.filter { $0.kind == .matrix }.reduce(0) { sum, parameter in
            let short = Double(min(parameter.rows, parameter.columns))
            let long = Double(max(parameter.rows, parameter.columns))
            return sum + 5 * (4 * short * short * long + 2 * short * short * short)
        }
    }

    /// The rate of products of this machine in operations a second, measured for a moment.
    ///
    /// - Throws: `TrainingError.unsupported` when OpenBLAS is not installed.
    public static func measuredRate(threads: Int) throws(TrainingError) -> Double {
        let products = try MatrixProducts(pool: WorkerPool(threads: threads))
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
