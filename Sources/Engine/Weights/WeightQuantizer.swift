/// Turns a matrix of floating point numbers into FP8 with one scale a block, as released FP8 checkpoints have it.
enum WeightQuantizer {
    static let blockSize = 128

    /// `weight` as E4M3 codes under scales of (128, 128) blocks, each its block's largest magnitude / 448; an FP8
    /// matrix is returned as it is.
    ///
    /// What is not finite becomes NaN, so that it shows in the logits instead of passing for a number.
    static func quantize(_ weight: LinearWeight) -> LinearWeight {
        switch weight.format {
        case .float8: weight
        case .float32: quantize(weight) { Float(bitPattern: $0 as UInt32) }
        case .bfloat16: quantize(weight, FloatConversion.bfloat16)
        case .float16: quantize(weight, FloatConversion.float16)
        }
    }

    @inline(__always)
    private static func quantize<Bits: FixedWidthInteger>(
        _ weight: LinearWeight, _ value: (Bits) -> Float
    ) -> LinearWeight {
        let source = weight.bytes.assumingMemoryBound(to: Bits.self)
        let codes = OwnedBytes(count: weight.rows * weight.columns)
        let target = codes.bytes
        var scales: [Float] = []
        for firstRow in stride(from: 0, to: weight.rows, by: blockSize) {
            let rows = firstRow..<min(firstRow + blockSize, weight.rows)
            for firstColumn in stride(from: 0, to: weight.columns, by: blockSize) {
                let columns = firstColumn..<min(firstColumn + blockSize, weight.columns)
                var largest: Float = 0
                for row in rows {
                    for index in row * weight.columns + columns.lowerBound..<row * weight.columns + columns.upperBound {
                        let magnitude = value(source[index]).magnitude
                        if magnitude > largest && magnitude.isFinite { largest = magnitude }
                    }
                }
                // A block of zeros needs some scale; a subnormal one would lose bits of its own.
                let scale = largest == 0 ? 1 : max(largest / Float8.largest, .leastNormalMagnitude)
                for row in rows {
                    for index in row * weight.columns + columns.lowerBound..<row * weight.columns + columns.upperBound {
                        let number = value(source[index])
                        target[index] = Float8.encode(number.isFinite ? number / scale : .nan)
                    }
                }
                scales.append(scale)
            }
        }
        let grid = ScaleGrid(
            blockRows: blockSize, blockColumns: blockSize,
            gridColumns: (weight.columns + blockSize - 1) / blockSize, values: scales)
        return LinearWeight(
            rows: weight.rows, columns: weight.columns, format: .float8(grid),
            bytes: UnsafeRawBufferPointer(target), owner: codes)
    }
}
