import KernelInterface

/// A packed matrix as kernels take it, in one of the two kinds of formats.
enum PackedContents {
    /// Numbers with a scale for each block of the matrix, or none.
    case numbers(WeightFormat, PackedWeights)
    /// Codes with a scale for each group of columns.
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

    /// out (columns) = factor * the row's weights.
    func unpackRow(_ row: Int, factor: Float, out: UnsafeMutablePointer<Float>, family: any KernelFamily.Type) {
        switch self {
        case .numbers(let format, let weights):
            family.weights(format).unpackRow(weights, row: row, factor: factor, out: out)
        case .quantized(let weights): family.unpackRow(weights, row: row, factor: factor, out: out)
        }
    }
}
