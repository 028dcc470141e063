/// One factor of a ``PairProduct``: bfloat16 numbers in pairs along the sum.
///
/// Row i of the factor (column i of the right factor) begins at `base + i / 16 * block + i % 16 * row`, and its pairs are `step`
/// bytes apart. This covers both forms:
/// - A row-major matrix with the sum along its rows: `row` is its stride, `block` is 16 strides, and `step` is 4.
/// - Panels (`TrainingKernels.packRows` and `packColumns`), which are blocks of 16 lanes with lines of 64 bytes, each with a pair
///   of each lane: `row` is 4, and `step` is 64.
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

    /// Creates a row-major matrix with a stride of `stride` bytes.
    public init(rows base: UnsafeRawPointer, stride: Int) {
        self.init(base: base, row: stride, block: 16 * stride, step: 4)
    }

    /// Creates panels with a stride of `block` bytes between blocks of 16 lanes.
    public init(panels base: UnsafeRawPointer, block: Int) {
        self.init(base: base, row: 4, block: block, step: 64)
    }
}

/// A product of bfloat16 matrices with float32 sums: out[i, j] (+)= sum over k of left[i, k] right[j, k].
public struct PairProduct {
    /// The number of pairs of a chunk. A sum is split into chunks, each of which is summed separately and then added, in order.
    public static let chunkPairs = 128

    public var left: PairFactor
    /// The row of `left` for each row of `out`, (rows), or `nil` for 0 ..< rows.
    public var leftRows: UnsafePointer<Int32>?
    /// The right factor, in panels.
    public var right: PairFactor
    /// The number of pairs of the sum.
    public var pairs: Int
    /// (rows, columns)
    public var out: UnsafeMutablePointer<Float>
    /// The stride between rows in floats.
    public var outStride: Int
    public var rows: Int
    public var columns: Int
    /// Whether the product is added to `out` instead of replacing it.
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
    /// The stride between rows in elements.
    public var stride: Int
    /// The row of `base` for each row, (rows), or `nil` for 0 ..< rows.
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
