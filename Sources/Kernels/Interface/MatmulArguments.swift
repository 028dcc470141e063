/// A packed matrix (rows, columns) = (out, in) in the kernels' format.
public struct PackedWeights {
    /// The blocks of 16 rows. See ``WeightLayout``.
    public let lines: UnsafeRawPointer
    /// (row blocks, scaleColumns, scaleRows). All are 1 for a format without scales.
    public let scales: UnsafePointer<Float>
    /// The number of rows of a block with scales of their own: 16, or 1 if all rows of a block have the same scales.
    public let scaleRows: Int
    /// The number of scales per row.
    public let scaleColumns: Int
    /// The number of columns that share a scale.
    public let scaleWidth: Int
    /// The matrix's shape without padding.
    public let rows: Int
    public let columns: Int

    public init(
        lines: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleRows: Int, scaleColumns: Int, scaleWidth: Int,
        rows: Int, columns: Int
    ) {
        self.lines = lines
        self.scales = scales
        self.scaleRows = scaleRows
        self.scaleColumns = scaleColumns
        self.scaleWidth = scaleWidth
        self.rows = rows
        self.columns = columns
    }
}

/// The rows of x and y of a product y = x W^T, and the part of the product to compute.
public struct MatmulArguments {
    /// The blocks of 16 rows of W to compute: columns `16 * firstBlock ..< 16 * (firstBlock + blocks)` of y.
    public let firstBlock: Int
    public let blocks: Int
    /// The rows of x, each of at least `columns` numbers in the format that the kernel takes.
    public let x: UnsafeRawPointer
    /// The stride between rows of x: in floats, with `bfloat16Pairs` in elements of two bytes, and with quantized weights in bytes.
    public let xStride: Int
    /// The row of x for each token, (tokens), or `nil` for 0 ..< tokens.
    public let xRows: UnsafePointer<Int32>?
    public let tokens: Int
    /// (tokens, rows of W). Only the columns of the blocks are written.
    public let y: UnsafeMutablePointer<Float>
    /// The stride between tokens in floats.
    public let yStride: Int

    public init(
        firstBlock: Int, blocks: Int, x: UnsafeRawPointer, xStride: Int, xRows: UnsafePointer<Int32>? = nil,
        tokens: Int, y: UnsafeMutablePointer<Float>, yStride: Int
    ) {
        self.firstBlock = firstBlock
        self.blocks = blocks
        self.x = x
        self.xStride = xStride
        self.xRows = xRows
        self.tokens = tokens
        self.y = y
        self.yStride = yStride
    }
}

/// The row-major weights of a checkpoint, and the part of them to pack.
public struct PackArguments {
    /// (rows, columns) in the checkpoint's format, at any alignment.
    public let source: UnsafeRawPointer
    public let rows: Int
    public let columns: Int
    /// The blocks of 16 rows to pack.
    public let firstBlock: Int
    public let blocks: Int
    /// The start of block 0: `WeightLayout.bytes(rows:columns:)` bytes, aligned to 64 bytes.
    public let target: UnsafeMutableRawPointer

    public init(
        source: UnsafeRawPointer, rows: Int, columns: Int, firstBlock: Int, blocks: Int, target: UnsafeMutableRawPointer
    ) {
        self.source = source
        self.rows = rows
        self.columns = columns
        self.firstBlock = firstBlock
        self.blocks = blocks
        self.target = target
    }
}
