import KernelInterface

/// A reader of the rows of one quantized matrix of a checkpoint. It keeps the file's memory alive. Several threads may read
/// different rows at the same time.
public protocol QuantizedReader: AnyObject {
    var format: QuantizedFormat { get }

    /// Writes rows of the matrix into `target`; row r goes into slot r modulo 16.
    ///
    /// - Parameters:
    ///   - rows: at most 16 rows, starting at a multiple of 16.
    ///   - target: rows in ``format``, possibly with other rows of this matrix from earlier calls.
    func read(_ rows: Range<Int>, into target: QuantizedRows)
}
