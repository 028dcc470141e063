/// The kernels for training in bfloat16, in addition to the kernels of the engine.
///
/// Arrays are row-major and float32 unless stated otherwise. Sums are float32 in the order that each file of `Shared/Training`
/// states, and are never split over threads.
public protocol TrainingKernels: KernelFamily {
    /// Computes a product of bfloat16 matrices. Sums run over chunks of `PairProduct.chunkPairs` pairs, which are added in order.
    static func multiply(_ product: PairProduct)

    /// Computes a product of float32 matrices, with a float32 number in place of each pair of bfloat16 numbers. `pairs` is then the
    /// depth of the sums, and packing copies 4-byte numbers.
    static func multiplyFloats(_ product: PairProduct)

    /// Rounds floats to bfloat16, to nearest, ties to even.
    static func round(_ source: UnsafePointer<Float>, count: Int, into target: UnsafeMutablePointer<UInt16>)

    /// Converts bfloat16 numbers to float32.
    static func widen(_ source: UnsafePointer<UInt16>, count: Int, into target: UnsafeMutablePointer<Float>)

    /// Packs panels with a lane for each column and pairs of rows, for sums over rows. Missing numbers of whole pairs and blocks
    /// become zeros. `block` is the stride between blocks in bytes.
    static func packRows(_ source: PairSource, into panels: UnsafeMutableRawPointer, block: Int)

    /// Packs panels with a lane for each row and pairs of columns, for sums over columns.
    static func packColumns(_ source: PairSource, into panels: UnsafeMutableRawPointer, block: Int)

    /// Computes the gradient of `rmsNorm`: dx (+)= r (u - x r^2 mean(u x)) with u = dy gain, and gainGradient (width) += the sum
    /// over rows of dy x r. dy, x and dx are (rows, width). `dx` may be `dy`.
    static func rmsNormBackward(
        dy: UnsafePointer<Float>, x: UnsafePointer<Float>, gain: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>,
        adds: Bool, gainGradient: UnsafeMutablePointer<Float>, rows: Int, width: Int, epsilon: Float)

    /// Computes the gradient of t = silu(gate) up, elementwise. With e = the gradient of t before `factor`, gate and up become
    /// their gradients times `factor`, and `change`, which is e, becomes t times `factor`.
    ///
    /// - Returns: The sum of e t, which is the gradient of `factor`.
    static func siluMultiplyBackward(
        gate: UnsafeMutablePointer<Float>, up: UnsafeMutablePointer<Float>, change: UnsafeMutablePointer<Float>,
        factor: Float, count: Int
    ) -> Float

    /// Computes the gradient of y = x sigmoid(gate), elementwise: `change`, the gradient of y, becomes that of x, gate becomes its
    /// gradient, and x becomes y.
    static func sigmoidMultiplyBackward(
        x: UnsafeMutablePointer<Float>, gate: UnsafeMutablePointer<Float>, change: UnsafeMutablePointer<Float>,
        count: Int)

    /// Returns sum a b.
    static func dotProduct(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float

    /// Computes target += factor source.
    static func add(
        _ source: UnsafePointer<Float>, times factor: Float, to target: UnsafeMutablePointer<Float>, count: Int)

    /// Computes target = factor source.
    static func scale(
        _ source: UnsafePointer<Float>, by factor: Float, into target: UnsafeMutablePointer<Float>, count: Int)

    /// Computes x = exp(x - largest x), elementwise.
    ///
    /// - Returns: The largest x, and the sum of the results.
    static func exponentials(_ x: UnsafeMutablePointer<Float>, count: Int) -> ExponentialSum

    /// Computes the softmax of the next block of keys of an attention tile.
    static func softmax(_ block: ScoreBlock, _ state: SoftmaxState)

    /// Computes the gradient of the softmax for a block of keys of an attention tile.
    static func softmaxBackward(_ block: ScoreBlock, _ gradient: ScoreGradient)
}

/// A sum of exponentials: sum exp(x) = sum * exp(largest).
public struct ExponentialSum {
    public var largest: Float
    public var sum: Float

    public init(largest: Float, sum: Float) {
        self.largest = largest
        self.sum = sum
    }
}

/// The scores of some queries of one head and a block of keys, before they are scaled.
public struct ScoreBlock {
    /// (rows, stride), of which `columns`, a multiple of 16, are used.
    public var scores: UnsafeMutablePointer<Float>
    public var stride: Int
    public var rows: Int
    public var columns: Int
    /// Query r attends to the columns max(0, first + r * firstStep) ..< min(columns, end + r).
    public var first: Int
    /// The change of `first` from one query to the next: 1 with a sliding window, otherwise 0.
    public var firstStep: Int
    public var end: Int
    public var scale: Float

    public init(
        scores: UnsafeMutablePointer<Float>, stride: Int, rows: Int, columns: Int, first: Int, firstStep: Int, end: Int,
        scale: Float
    ) {
        self.scores = scores
        self.stride = stride
        self.rows = rows
        self.columns = columns
        self.first = first
        self.firstStep = firstStep
        self.end = end
        self.scale = scale
    }
}

/// The state that the softmax of a tile keeps from block to block.
public struct SoftmaxState {
    /// The largest score so far, initially -infinity, and the sum of the exponentials relative to it, (rows) each.
    public var maxima: UnsafeMutablePointer<Float>
    public var sums: UnsafeMutablePointer<Float>
    /// The sums of values so far, which are scaled to the new maxima, (rows, width)
    public var values: UnsafeMutablePointer<Float>
    public var width: Int
    /// The block's exponentials in bfloat16, zero where a key is not visible, (rows, stride of the scores)
    public var weights: UnsafeMutablePointer<UInt16>

    public init(
        maxima: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Float>, values: UnsafeMutablePointer<Float>,
        width: Int, weights: UnsafeMutablePointer<UInt16>
    ) {
        self.maxima = maxima
        self.sums = sums
        self.values = values
        self.width = width
        self.weights = weights
    }
}

/// The backward pass of a block: P = exp(scale score - logSum) and dS = P (dP - delta) scale.
public struct ScoreGradient {
    /// dP, (rows, stride of the scores)
    public var changes: UnsafePointer<Float>
    /// (rows), `rowStride` floats apart.
    public var logSums: UnsafePointer<Float>
    public var deltas: UnsafePointer<Float>
    public var rowStride: Int
    /// dS, (rows, stride), bfloat16.
    public var rows: UnsafeMutablePointer<UInt16>
    /// P and dS in pairs of rows, (rows / 2, stride, 2), bfloat16. A last row without a partner is paired with zeros.
    public var weightPairs: UnsafeMutableRawPointer
    public var changePairs: UnsafeMutableRawPointer

    public init(
        changes: UnsafePointer<Float>, logSums: UnsafePointer<Float>, deltas: UnsafePointer<Float>, rowStride: Int,
        rows: UnsafeMutablePointer<UInt16>, weightPairs: UnsafeMutableRawPointer, changePairs: UnsafeMutableRawPointer
    ) {
        self.changes = changes
        self.logSums = logSums
        self.deltas = deltas
        self.rowStride = rowStride
        self.rows = rows
        self.weightPairs = weightPairs
        self.changePairs = changePairs
    }
}
