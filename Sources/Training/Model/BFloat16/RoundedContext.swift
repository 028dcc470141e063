import Checkpoints
import Engine
import KernelInterface

/// The dimensions of a model as plain numbers. Copying a `ModelConfig` would count references.
struct RoundedShape {
    let hidden, heads, keyValueHeads, headDimension: Int
    let experts, chosen: Int
    let normalizesRoutes: Bool
    let routeScale, epsilon: Float
    let layout: ProjectionLayout

    init(_ config: ModelConfig) {
        hidden = config.hiddenSize
        (heads, keyValueHeads, headDimension) = (
            config.attentionHeads, config.keyValueHeads, config.headDimension
        )
        (experts, chosen) = (config.experts, config.expertsPerToken)
        normalizesRoutes = config.normalizesRoutes
        (routeScale, epsilon) = (config.routeScale, config.normEpsilon)
        layout = ProjectionLayout(config)
    }
}

/// The gain of a norm and its gradient, which is `nil` if the gain is frozen.
struct RoundedGain {
    let weights: UnsafePointer<Float>
    let gradient: UnsafeMutablePointer<Float>?
    let count: Int

    init(_ parameter: Parameter, _ context: RoundedContext) {
        weights = UnsafePointer(context.weights.pointer(parameter))
        gradient = context.gradients.kept(parameter)?.base
        count = parameter.count
    }
}

/// The state that all parts of the bfloat16 passes share.
final class RoundedContext {
    /// The number of tokens in a chunk, the unit of work of a thread. It is a multiple of the rows of a product's tile. Sums over
    /// tokens are added chunk by chunk, in order.
    static let chunkTokens = 96

    let config: ModelConfig
    let shape: RoundedShape
    let kernels: any TrainingKernels.Type
    let pool: WorkerPool
    let weights: TrainedTensors
    let gradients: TrainedTensors

    init(
        _ config: ModelConfig, kernels: any TrainingKernels.Type, pool: WorkerPool, weights: TrainedTensors,
        gradients: TrainedTensors
    ) {
        (self.config, shape) = (config, RoundedShape(config))
        (self.kernels, self.pool) = (kernels, pool)
        (self.weights, self.gradients) = (weights, gradients)
    }

    var hidden: Int { shape.hidden }

    /// Calls `body` with (chunk, tokens) for each chunk, on all threads.
    func forEachChunk(of tokens: Int, _ body: (Int, Range<Int>) -> Void) {
        pool.forEachPiece(of: tokens, size: Self.chunkTokens, body)
    }

    static func chunks(of tokens: Int) -> Int { (tokens + chunkTokens - 1) / chunkTokens }

    /// Computes out = norm(x): x and out (rows, width of the gain).
    func normalize(_ x: UnsafePointer<Float>, rows: Int, _ gain: RoundedGain, into out: UnsafeMutablePointer<Float>) {
        kernels.rmsNorm(
            x: x, weight: gain.weights, out: out, rows: rows, width: gain.count, epsilon: shape.epsilon)
    }

    /// Computes x += norm(branch).
    func addNormalized(
        _ branch: UnsafePointer<Float>, rows: Int, _ gain: RoundedGain, to x: UnsafeMutablePointer<Float>
    ) {
        kernels.addRMSNorm(
            branch: branch, weight: gain.weights, residual: x, rows: rows, width: gain.count, epsilon: shape.epsilon)
    }

    /// Computes the gradient of ``normalize(_:rows:_:into:)``. The gradient of the gain is added to `gainGradient`.
    func normalizeBackward(
        _ dy: UnsafePointer<Float>, x: UnsafePointer<Float>, rows: Int, _ gain: RoundedGain,
        into dx: UnsafeMutablePointer<Float>, adds: Bool = false, gainGradient: UnsafeMutablePointer<Float>
    ) {
        kernels.rmsNormBackward(
            dy: dy, x: x, gain: gain.weights, dx: dx, adds: adds, gainGradient: gainGradient, rows: rows,
            width: gain.count, epsilon: shape.epsilon)
    }

    /// Rounds rows with a stride of `stride` floats.
    func round(_ source: UnsafePointer<Float>, stride: Int, into target: RoundedMatrix) {
        if target.stride == stride, target.columns == stride {
            kernels.round(source, count: target.rows * stride, into: target.base)
            return
        }
        for row in 0..<target.rows {
            kernels.round(source + row * stride, count: target.columns, into: target.row(row))
        }
    }

    /// Computes out (rows, columns), the matrix in float32.
    func widen(_ source: RoundedMatrix, into out: UnsafeMutablePointer<Float>) {
        if source.stride == source.columns {
            kernels.widen(source.base, count: source.rows * source.columns, into: out)
            return
        }
        for row in 0..<source.rows {
            kernels.widen(source.row(row), count: source.columns, into: out + row * source.columns)
        }
    }

    /// Packs rows. The first one goes to `row` of the panels, which must be even.
    func pack(
        _ source: RoundedMatrix, indices: UnsafePointer<Int32>? = nil, into panels: PairPanels, row: Int
    ) {
        kernels.packRows(source.source(indices: indices), into: panels.place(row: row), block: panels.blockBytes)
    }

    /// A weight gradient to compute: dW += dY^T X, summed over the rows of the panels.
    struct WeightGradient {
        var target: Matrix
        /// The panels of dY, with one lane for each row of the target.
        var left: PairFactor
        var right: PairFactor
        /// The number of rows of dY and X, rounded up to an even number.
        var rows: Int
    }

    /// The numbers of rows and columns of the part of a gradient that a thread computes at a time, multiples of 16.
    private static let partRows = 96
    private static let partColumns = 256

    /// Computes gradients at separate places, on all threads.
    func add(_ gradients: [WeightGradient]) {
        var parts: [PairProduct] = []
        for gradient in gradients where gradient.rows > 0 {
            let target = gradient.target
            for row in stride(from: 0, to: target.rows, by: Self.partRows) {
                for column in stride(from: 0, to: target.columns, by: Self.partColumns) {
                    var (left, right) = (gradient.left, gradient.right)
                    left.base += row / 16 * left.block
                    right.base += column / 16 * right.block
                    parts.append(
                        PairProduct(
                            left: left, right: right, pairs: (gradient.rows + 1) / 2, out: target.row(row) + column,
                            outStride: target.stride, rows: min(Self.partRows, target.rows - row),
                            columns: min(Self.partColumns, target.columns - column), adds: true))
                }
            }
        }
        pool.parallelFor(chunks: parts.count) { kernels.multiply(parts[$0]) }
    }

    /// Whether any part of a packed matrix is trained.
    func trains(_ linear: PackedLinear) -> Bool { linear.parts.contains { gradients.kept($0) != nil } }

    /// Returns the gradients of the trained parts of a packed matrix, from panels of dY in the matrix's layout of outputs and
    /// panels of its inputs.
    func gradients(of linear: PackedLinear, _ dy: PairPanels, _ x: PairPanels, firstRow: Int = 0, rows: Int)
        -> [WeightGradient]
    {
        linear.parts.indices.compactMap { part in
            gradients.kept(linear.parts[part]).map { target in
                WeightGradient(
                    target: target, left: dy.factor(row: firstRow, column: linear.offsets[part]),
                    right: x.factor(row: firstRow), rows: rows)
            }
        }
    }
}
