/// Converts a floating-point matrix to FP8 with one scale per block, as in released FP8 checkpoints.
public enum WeightQuantizer {
    /// The number of rows and of columns of a block.
    public static let blockSize = 128

    /// Returns `weight` as E4M3 codes with a scale for each (128, 128) block: the block's largest magnitude / 448. A matrix that
    /// is already quantized is returned unchanged.
    ///
    /// Non-finite elements become NaN, so that they show in the logits.
    ///
    /// - Parameter pool: the threads that share the blocks; `nil` uses only the calling thread.
    static func quantize(_ weight: LinearWeight, pool: (any ParallelExecutor)? = nil) -> LinearWeight {
        switch weight.format {
        case .float8, .quantized: weight
        case .float32: quantize(weight, pool) { Float(bitPattern: $0 as UInt32) }
        case .bfloat16: quantize(weight, pool, FloatConversion.bfloat16)
        case .float16: quantize(weight, pool, FloatConversion.float16)
        }
    }

    /// Returns the shape of the scales of a matrix (rows, columns).
    public static func gridShape(rows: Int, columns: Int) -> [Int] {
        [(rows + blockSize - 1) / blockSize, (columns + blockSize - 1) / blockSize]
    }

    @inline(__always)
    private static func quantize<Bits: FixedWidthInteger>(
        _ weight: LinearWeight, _ pool: (any ParallelExecutor)?, _ value: (Bits) -> Float
    ) -> LinearWeight {
        let source = weight.bytes.assumingMemoryBound(to: Bits.self)
        let codes = OwnedBytes(count: weight.rows * weight.columns)
        let target = codes.bytes
        let shape = gridShape(rows: weight.rows, columns: weight.columns)
        let (gridRows, gridColumns) = (shape[0], shape[1])
        let memory = OwnedBytes(count: gridRows * gridColumns * MemoryLayout<Float>.stride)
        let scales = memory.bytes.bindMemory(to: Float.self)
        func quantizeRow(_ gridRow: Int) {
            for gridColumn in 0..<gridColumns {
                scales[gridRow * gridColumns + gridColumn] = quantizeBlock(
                    source, target, columns: weight.columns,
                    rowRange: gridRow * blockSize..<min((gridRow + 1) * blockSize, weight.rows),
                    columnRange: gridColumn * blockSize..<min((gridColumn + 1) * blockSize, weight.columns), value)
            }
        }
        if let pool {
            pool.parallelFor(chunks: gridRows, quantizeRow)
        } else {
            for gridRow in 0..<gridRows { quantizeRow(gridRow) }
        }
        let grid = ScaleGrid(
            blockRows: blockSize, blockColumns: blockSize, gridColumns: gridColumns, values: Array(scales))
        return LinearWeight(
            rows: weight.rows, columns: weight.columns, format: .float8(grid),
            bytes: UnsafeRawBufferPointer(target), owner: codes)
    }

    /// Writes the codes of one block and returns its scale.
    @inline(__always)
    private static func quantizeBlock<Bits: FixedWidthInteger>(
        _ source: UnsafeBufferPointer<Bits>, _ target: UnsafeMutableRawBufferPointer, columns: Int,
        rowRange: Range<Int>, columnRange: Range<Int>, _ value: (Bits) -> Float
    ) -> Float {
        var largest: Float = 0
        for row in rowRange {
            for index in row * columns + columnRange.lowerBound..<row * columns + columnRange.upperBound {
                let magnitude = value(source[index]).magnitude
                if magnitude > largest && magnitude.isFinite { largest = magnitude }
            }
        }
        // A block of zeros needs a scale too, and a subnormal scale would lose bits.
        let scale = largest == 0 ? 1 : max(largest / Float8.largest, .leastNormalMagnitude)
        for row in rowRange {
            for index in row * columns + columnRange.lowerBound..<row * columns + columnRange.upperBound {
                let number = value(source[index])
                target[index] = Float8.encode(number.isFinite ? number / scale : .nan)
            }
        }
        return scale
    }
}
