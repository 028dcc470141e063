/// The format of a weight matrix in memory. `README.md` in `Sources/Kernels` explains how to add a format.
public enum WeightFormat: CaseIterable, Sendable {
    case float32
    /// Float16 in a checkpoint, which is converted to float32 when packed.
    case float16
    case bfloat16
    /// E4M3FN, with a scale for each block of the matrix.
    case float8
}

/// The layout of a packed matrix: blocks of 16 rows, each a sequence of lines in ascending order of columns.
public struct WeightLayout: Sendable, Equatable {
    /// The number of columns in a line, which has 16 rows.
    public let lineColumns: Int
    /// The number of bytes of a line, a multiple of 64, the size of a cache line.
    public let lineBytes: Int

    public init(lineColumns: Int, lineBytes: Int = 64) {
        self.lineColumns = lineColumns
        self.lineBytes = lineBytes
    }

    /// Returns the number of bytes of a packed matrix, without its scales.
    public func bytes(rows: Int, columns: Int) -> Int {
        (rows + 15) / 16 * ((columns + lineColumns - 1) / lineColumns) * lineBytes
    }
}

/// The format of rows of x for a product.
public enum ActivationFormat: Sendable {
    /// `columns` floats.
    case float32
    /// The format of ``KernelFamily/encode(source:count:padding:target:lowOffset:)``: the columns in bfloat16, padded with zeros to
    /// a multiple of 4. From the middle of the row on, the rounding errors follow. They are written only for products by
    /// ``WeightKernels/multiply(_:_:)``.
    case bfloat16Pairs
}

/// The kernels of one family that read weights of one format.
public protocol WeightKernels: SendableMetatype {
    /// The layout, which is the same in every family.
    static var layout: WeightLayout { get }

    /// The format of activations that ``multiply(_:_:)`` and ``multiplyRounded(_:_:)`` take.
    static var activations: ActivationFormat { get }

    /// Packs rows of a checkpoint's matrix. Rows and columns beyond the matrix become zeros.
    static func pack(_ arguments: PackArguments)

    /// Computes out (columns) = the row's weights, times their scales and `factor`.
    static func unpackRow(_ weights: PackedWeights, row: Int, factor: Float, out: UnsafeMutablePointer<Float>)

    /// Computes y = x W^T. Activations have at least 16 bits of precision.
    static func multiply(_ weights: PackedWeights, _ arguments: MatmulArguments)

    /// Computes y = x W^T with activations rounded to bfloat16 if that is faster, and otherwise without rounding. Kernels that take
    /// ``ActivationFormat/bfloat16Pairs`` must implement it and read only the rounded numbers.
    static func multiplyRounded(_ weights: PackedWeights, _ arguments: MatmulArguments)
}

extension WeightKernels {
    /// The default implementation, for kernels for which rounding is not faster.
    public static func multiplyRounded(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        multiply(weights, arguments)
    }
}
