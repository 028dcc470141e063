/// One factor of a ``PairProduct``: bfloat16 numbers in pairs along the sum.
///
/// Row i of the factor (column i, for the right one) begins at `base + i / 16 * block + i % 16 * row`, and its pairs are `step`
/// bytes apart. That covers both forms:
/// - a row-major matrix with the sum along its rows: `row` is its stride, `block` 16 strides, `step` 4;
/// - panels (`TrainingKernels.packRows` and `packColumns`): blocks of 16 lanes, lines of 64 bytes with a pair of each lane:
///   `row` 4, `step` 64.
public struct PairFactor {
    public var base: UnsafeRawPointer
    public var row: Int
    public var block: Int
    public var step: Int

    public init(base: UnsafeRawPointer, row: Int, block: Int, step: Int) {
        self.base = base
        self.row = row
        self.block = block
        self.step = step
    }

    /// A row-major matrix with `stride` bytes from row to row.
    public init(rows base: UnsafeRawPointer, stride: Int) {
        self.init(base: base, row: stride, block: 16 * stride, step: 4)
    }

    /// Panels with `block` bytes from one block of 16 lanes to the next.
    public init(panels base: UnsafeRawPointer, block: Int) {
        self.init(base: base, row: 4, block: block, step: 64)
    }
}

/// A product of bfloat16 matrices with float32 sums: out[i, j] (+)= sum over k of left[i, k] right[j, k].
public struct PairProduct {
    /// A sum is split into chunks of this many pairs. Each is summed by itself and then added, in order.
    public static let chunkPairs = 128

    public var left: PairFactor
    /// The row of `left` for each row of `out`, (rows); or nil for 0 ..< rows.
    public var leftRows: UnsafePointer<Int32>?
    /// Panels.
    public var right: PairFactor
    /// Pairs of the sum.
    public var pairs: Int
    /// (rows, columns)
    public var out: UnsafeMutablePointer<Float>
    /// Floats from row to row.
    public var outStride: Int
    public var rows: Int
    public var columns: Int
    /// Added to `out` instead of replacing it.
    public var adds: Bool

    public init(
        left: PairFactor, leftRows: UnsafePointer<Int32>? = nil, right: PairFactor, pairs: Int,
        out: UnsafeMutablePointer<Float>, outStride: Int, rows: Int, columns: Int, adds: Bool = false
    ) {
        self.left = left
        self.leftRows = leftRows
        self.right = right
        self.pairs = pairs
        self.out = out
        self.outStride = outStride
        self.rows = rows
        self.columns = columns
        self.adds = adds
    }
}

/// Row-major bfloat16 numbers to pack as panels.
public struct PairSource {
    public var base: UnsafePointer<UInt16>
    /// Elements from row to row.
    public var stride: Int
    /// The row of `base` for each row, (rows); or nil for 0 ..< rows.
    public var indices: UnsafePointer<Int32>?
    public var rows: Int
    public var columns: Int

    public init(
        base: UnsafePointer<UInt16>, stride: Int, indices: UnsafePointer<Int32>? = nil, rows: Int, columns: Int
    ) {
        self.base = base
        self.stride = stride
        self.indices = indices
        self.rows = rows
        self.columns = columns
    }
}
