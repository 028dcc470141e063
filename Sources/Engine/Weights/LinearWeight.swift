/// A weight matrix (rows, columns) = (out, in) in row-major order as a checkpoint stores it, not yet packed for kernels.
///
/// The bytes belong to `owner` (a mapped file, or a buffer of a quantisation made at load).
struct LinearWeight {
    enum Format {
        case float32
        case bfloat16
        case float16
        /// E4M3FN bytes; the weight is the byte's value times its scale.
        case float8(ScaleGrid)
    }

    var rows: Int
    var columns: Int
    var format: Format
    var bytes: UnsafeRawBufferPointer
    var owner: AnyObject
}

/// Scales of an FP8 matrix: element (r, c) takes `values[(r / blockRows) * gridColumns + c / blockColumns]`.
///
/// One scale for a tensor has the matrix's own size as its block; one a row has a block of (1, columns).
struct ScaleGrid: Equatable {
    var blockRows: Int
    var blockColumns: Int
    /// ceil(columns / blockColumns)
    var gridColumns: Int
    /// (ceil(rows / blockRows), gridColumns)
    var values: [Float]
}
