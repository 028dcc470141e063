/// A row-major matrix of float32 in memory that something else owns.
struct Matrix {
    let base: UnsafeMutablePointer<Float>
    let rows: Int
    let columns: Int
    /// Elements from row to row, at least `columns`.
    let stride: Int

    init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
        self.base = base
        self.rows = rows
        self.columns = columns
        self.stride = stride ?? columns
    }

    /// The matrix of some rows.
    func rows(_ range: Range<Int>) -> Matrix {
        Matrix(base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
    }

    /// The matrix of some columns.
    func columns(_ range: Range<Int>) -> Matrix {
        Matrix(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
    }

    /// The start of a row.
    func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * stride }
}
