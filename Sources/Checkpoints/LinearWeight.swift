/// A weight matrix (rows, columns) = (out, in) in row-major order, as stored in a checkpoint and not yet packed for kernels.
///
/// `owner` keeps the bytes alive: a mapped file, or a buffer that was quantized during loading.
public struct LinearWeight {
    public enum Format {
        case float32
        case bfloat16
        case float16
        /// E4M3FN codes; a weight is the code's value times its scale.
        case float8(ScaleGrid)
        /// Rows that the reader provides; `bytes` is empty.
        case quantized(any QuantizedReader)
    }

    public var rows: Int
    public var columns: Int
    public var format: Format
    public var bytes: UnsafeRawBufferPointer
    public var owner: AnyObject

    public init(rows: Int, columns: Int, format: Format, bytes: UnsafeRawBufferPointer, owner: AnyObject) {
        self.rows = rows
        self.columns = columns
        self.format = format
        self.bytes = bytes
        self.owner = owner
    }
}

extension LinearWeight {
    /// Writes a row as float32, (columns).
    ///
    /// - Precondition: the format is not `quantized`.
    func copyRow(_ row: Int, into target: UnsafeMutablePointer<Float>) {
        func copy<Bits>(_ value: (Bits) -> Float) {
            let source = bytes.assumingMemoryBound(to: Bits.self)
            for column in 0..<columns { target[column] = value(source[row * columns + column]) }
        }
        withExtendedLifetime(owner) {
            switch format {
            case .float32: copy { Float(bitPattern: $0 as UInt32) }
            case .bfloat16: copy(FloatConversion.bfloat16)
            case .float16: copy(FloatConversion.float16)
            case .float8(let grid):
                let scales = row / grid.blockRows * grid.gridColumns
                Float8.values.withUnsafeBufferPointer { values in
                    for block in 0..<grid.gridColumns {
                        let scale = grid.values[scales + block]
                        let start = block * grid.blockColumns
                        for column in start..<min(start + grid.blockColumns, columns) {
                            target[column] = values[Int(bytes[row * columns + column])] * scale
                        }
                    }
                }
            case .quantized: preconditionFailure("a quantized matrix is not quantized again")
            }
        }
    }

    /// Returns the largest magnitude of all elements.
    func largestMagnitude(pool: (any ParallelExecutor)?) -> Float {
        let rowsOfChunk = 64
        let chunks = (rows + rowsOfChunk - 1) / rowsOfChunk
        let largest = OwnedBytes(count: chunks * MemoryLayout<Float>.stride)
        let results = largest.bytes.bindMemory(to: Float.self)
        // Zeros fill the last vector.
        let padded = (columns + 15) / 16 * 16
        func find(_ chunk: Int) {
            withUnsafeTemporaryAllocation(of: Float.self, capacity: max(padded, 1)) { numbers in
                numbers.initialize(repeating: 0)
                guard let base = numbers.baseAddress else { return }
                var largest = SIMD16<Float>.zero
                for row in chunk * rowsOfChunk..<min((chunk + 1) * rowsOfChunk, rows) {
                    copyRow(row, into: base)
                    for column in stride(from: 0, to: padded, by: 16) {
                        let bits = UnsafeRawPointer(base + column).loadUnaligned(as: SIMD16<UInt32>.self) & 0x7FFF_FFFF
                        let magnitudes = unsafeBitCast(bits, to: SIMD16<Float>.self)
                        largest.replace(with: magnitudes, where: magnitudes .> largest)
                    }
                }
                results[chunk] = largest.max()
            }
        }
        if let pool { pool.parallelFor(chunks: chunks, find) } else { (0..<chunks).forEach(find) }
        return results.max() ?? 0
    }
}

/// The scales of an FP8 matrix. Element (r, c) has the scale `values[(r / blockRows) * gridColumns + c / blockColumns]`.
///
/// With one scale per tensor, a block has the size of the matrix; with one scale per row, a block is (1, columns).
public struct ScaleGrid: Equatable {
    public var blockRows: Int
    public var blockColumns: Int
    /// ceil(columns / blockColumns)
    public var gridColumns: Int
    /// (ceil(rows / blockRows), gridColumns)
    public var values: [Float]

    public init(blockRows: Int, blockColumns: Int, gridColumns: Int, values: [Float]) {
        self.blockRows = blockRows
        self.blockColumns = blockColumns
        self.gridColumns = gridColumns
        self.values = values
    }
}
