/// A row-major float32 matrix that does not own its memory.
struct Matrix {
    let base: UnsafeMutablePointer<Float>
    let rows: Int
    let columns: Int
    /// The number of elements from row to row, at least `columns`.
    let stride: Int

    init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
        self.base = base
        self.rows = rows
        self.columns = columns
        self.stride = stride ?? columns
    }

    /// Returns some rows of the matrix.
    func rows(_ range: Range<Int>) -> Matrix {
        Matrix(base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
    }

    /// Returns some columns of the matrix.
    func columns(_ range: Range<Int>) -> Matrix {
        Matrix(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
    }

    /// Returns the address of a row.
    func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * stride }
}
