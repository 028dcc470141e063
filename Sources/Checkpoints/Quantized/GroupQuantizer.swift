import KernelInterface

/// Quantizes a floating-point matrix in groups of columns, row by row as it is read.
///
/// The kernels choose the scale of each group (`KernelFamily.quantize`). All elements must be finite.
final class GroupQuantizer: QuantizedReader {
    let format: QuantizedFormat
    private let source: LinearWeight
    private let family: any KernelFamily.Type
    /// The factor of all rows. In NVFP4 it is the largest code times the largest scale, divided by the matrix's largest
    /// magnitude.
    private let factor: Float

    /// - Parameters:
    ///   - weight: a matrix that is not quantized or is FP8.
    ///   - format: `int4` or `int8` in groups, or NVFP4 with a dividing factor.
    ///   - pool: the threads that find the largest magnitude, if the format needs it; `nil` uses only the calling thread.
    init(
        _ weight: LinearWeight, to format: QuantizedFormat, pool: (any ParallelExecutor)?,
        family: any KernelFamily.Type
    ) {
        self.format = format
        self.family = family
        source = weight
        // A matrix of zeros needs a factor too, and a matrix of tiny numbers needs a finite one.
        factor =
            format.rowFactor == .divided
            ? 6 * Float8.largest / max(weight.largestMagnitude(pool: pool), 0x1p-100) : 1
    }

    func read(_ rows: Range<Int>, into target: QuantizedRows) {
        let width = format.groupColumns
        // Zeros fill the last group. The stride is not a multiple of 4 KB; otherwise the same columns of 16 rows would map to the
        // same cache sets.
        let stride = (source.columns + width - 1) / width * width + 16
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 16 * stride) { buffer in
            buffer.initialize(repeating: 0)
            guard let numbers = buffer.baseAddress else { return }
            for row in rows { source.copyRow(row, into: numbers + row % 16 * stride) }
            target.rowFactors.update(repeating: factor, count: 16)
            family.quantize(numbers, stride: stride, into: target)
        }
    }
}
