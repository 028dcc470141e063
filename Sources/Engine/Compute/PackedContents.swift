import KernelInterface

/// A packed matrix in the form that kernels take, in one of two kinds of formats.
enum PackedContents {
    /// Numbers, with or without a scale for each block of the matrix.
    case numbers(WeightFormat, PackedWeights)
    /// Codes, with a scale for each group of columns.
    case quantized(PackedQuantizedWeights)

    var rows: Int {
        switch self {
        case .numbers(_, let weights): weights.rows
        case .quantized(let weights): weights.rows
        }
    }

    var columns: Int {
        switch self {
        case .numbers(_, let weights): weights.columns
        case .quantized(let weights): weights.columns
        }
    }

    /// Computes out (columns) = factor * the row's weights.
    func unpackRow(_ row: Int, factor: Float, out: UnsafeMutablePointer<Float>, family: any KernelFamily.Type) {
        switch self {
        case .numbers(let format, let weights):
            family.weights(format).unpackRow(weights, row: row, factor: factor, out: out)
        case .quantized(let weights): family.unpackRow(weights, row: row, factor: factor, out: out)
        }
    }
}
