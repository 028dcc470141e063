/// A weight matrix (rows, columns) = (out, in) in row-major order as stored in a checkpoint, not yet packed for kernels.
///
/// The bytes belong to `owner` (a mapped file, or a buffer that was quantized while loading).
public struct LinearWeight {
    public enum Format {
        case float32
        case bfloat16
        case float16
        /// E4M3FN bytes; the weight is the byte's value times its scale.
        case float8(ScaleGrid)
        /// Rows that the reader supplies; `bytes` is empty.
        case quantized(any QuantizedReader)
    }

    public var rows: Int
    public var columns: Int
    public var format: Format
    public var bytes: UnsafeRawBufferPointer
    public var owner: AnyObject

    public init(rows: Int, columns: Int, format: Format, bytes: UnsafeRawBufferPointer, owner: AnyObject) {
        self.rows = rows
        self.columns = columns
        self.format = format
        self.bytes = bytes
        self.owner = owner
    }
}

/// Scales of an FP8 matrix: element (r, c) takes `values[(r / blockRows) * gridColumns + c / blockColumns]`.
///
/// A scale per tensor has a block of the matrix's own size; a scale per row has a block of (1, columns).
public struct ScaleGrid: Equatable {
    public var blockRows: Int
    public var blockColumns: Int
    /// ceil(columns / blockColumns)
    public var gridColumns: Int
    /// (ceil(rows / blockRows), gridColumns)
    public var values: [Float]

    public init(blockRows: Int, blockColumns: Int, gridColumns: Int, values: [Float]) {
        self.blockRows = blockRows
        self.blockColumns = blockColumns
        self.gridColumns = gridColumns
        self.values = values
    }
}
