import KernelInterface

/// Reads the rows of one quantized matrix of a checkpoint; it keeps the file's memory alive. Threads read different rows at the
/// same time.
public protocol QuantizedReader: AnyObject {
    var format: QuantizedFormat { get }

    /// Writes rows of the matrix, each to the place of its number modulo 16.
    ///
    /// - Parameters:
    ///   - rows: at most 16, from a multiple of 16 on.
    ///   - target: rows in ``format``, possibly with other rows of the same matrix from earlier calls.
    func read(_ rows: Range<Int>, into target: QuantizedRows)
}
