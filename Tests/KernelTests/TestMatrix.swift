import PortableKernels

/// A random matrix in one of the stored formats, packed, with its values in float32 beside it.
struct TestMatrix {
    enum Format: CaseIterable {
        case float32, float16, bfloat16, float8
    }

    let format: Format
    let rows: Int
    let columns: Int
    /// (rows, columns), scales applied
    private(set) var values: [Float] = []
    private var packed: [UInt8] = []
    /// (row blocks, scaleColumns, 16)
    private var scales: [Float] = []
    private let scaleColumns: Int
    private let scaleWidth: Int

    /// - Parameter scaleBlock: rows and columns of float8 that share a scale
    init(_ format: Format, rows: Int, columns: Int, scaleBlock: (rows: Int, columns: Int), random: inout RandomValues) {
        self.format = format
        self.rows = rows
        self.columns = columns
        let isScaled = format == .float8
        scaleWidth = isScaled ? min(scaleBlock.columns, columns) : columns
        scaleColumns = (columns + scaleWidth - 1) / scaleWidth
        let blocks = (rows + 15) / 16
        scales = [Float](repeating: 0, count: blocks * scaleColumns * 16)
        let grid = random.floats(((rows + scaleBlock.rows - 1) / scaleBlock.rows) * scaleColumns, in: 0.001...0.1)
        for row in 0..<rows {
            for column in 0..<scaleColumns {
                let scale = isScaled ? grid[row / scaleBlock.rows * scaleColumns + column] : 1
                scales[(row / 16 * scaleColumns + column) * 16 + row % 16] = scale
            }
        }
        fill(&random, blocks: blocks)
    }

    private mutating func fill(_ random: inout RandomValues, blocks: Int) {
        var source: [UInt8] = []
        for index in 0..<rows * columns {
            let scale = scales[(index / columns / 16 * scaleColumns + index % columns / scaleWidth) * 16 + index / columns % 16]
            switch format {
            case .float32:
                let value = Float.random(in: -1...1, using: &random)
                withUnsafeBytes(of: value) { source += $0 }
                values.append(value)
            case .float16:
                let half = Float16(Float.random(in: -1...1, using: &random))
                withUnsafeBytes(of: half) { source += $0 }
                values.append(Float(half))
            case .bfloat16:
                let bits = UInt16(Float.random(in: -1...1, using: &random).bitPattern >> 16)
                withUnsafeBytes(of: bits) { source += $0 }
                values.append(Float(bitPattern: UInt32(bits) << 16))
            case .float8:
                var code = UInt8.random(in: 0...255, using: &random)
                if code & 0x7f == 0x7f { code = 0 }
                source.append(code)
                values.append(float8(code) * scale)
            }
        }
        let (lineColumns, pack) =
            switch format {
            case .float32: (1, Portable.packFloat32)
            case .float16: (1, Portable.packFloat16)
            case .bfloat16: (2, Portable.packBFloat16)
            case .float8: (4, Portable.packFloat8)
            }
        packed = [UInt8](repeating: 0xff, count: blocks * ((columns + lineColumns - 1) / lineColumns) * 64)
        packed.withUnsafeMutableBytes { target in
            source.withUnsafeBytes { source in
                guard let source = source.baseAddress, let target = target.baseAddress else { return }
                // In two parts, as two threads would.
                pack(source, rows, columns, 0, blocks / 2, target)
                pack(source, rows, columns, blocks / 2, blocks - blocks / 2, target)
            }
        }
    }

    /// y (tokens, rows) of x (tokens, columns), or of the rows of x that `xRows` picks.
    func multiply(_ x: [Float], xRows: [Int32]? = nil) -> [Float] {
        let tokens = xRows?.count ?? x.count / columns
        var y = [Float](repeating: .nan, count: tokens * rows)
        let matmul =
            switch format {
            case .float32, .float16: Portable.matmulFloat32
            case .bfloat16: Portable.matmulBFloat16
            case .float8: Portable.matmulFloat8
            }
        let blocks = (rows + 15) / 16
        packed.withUnsafeBytes { weights in
            y.withUnsafeMutableBufferPointer { y in
                guard let weights = weights.baseAddress, let y = y.baseAddress else { return }
                for block in 0..<blocks {
                    if let xRows {
                        matmul(
                            weights, scales, scaleColumns, scaleWidth, rows, columns, block, 1, x, columns, xRows, tokens,
                            y, rows)
                    } else {
                        matmul(
                            weights, scales, scaleColumns, scaleWidth, rows, columns, block, 1, x, columns, nil, tokens, y,
                            rows)
                    }
                }
            }
        }
        return y
    }

    /// factor * row
    func unpack(row: Int, factor: Float) -> [Float] {
        let unpackRow =
            switch format {
            case .float32, .float16: Portable.unpackRowFloat32
            case .bfloat16: Portable.unpackRowBFloat16
            case .float8: Portable.unpackRowFloat8
            }
        var out = [Float](repeating: .nan, count: columns)
        packed.withUnsafeBytes { weights in
            guard let weights = weights.baseAddress else { return }
            unpackRow(weights, scales, scaleColumns, scaleWidth, columns, row, factor, &out)
        }
        return out
    }
}

/// E4M3FN by its definition: bias 7, subnormals in steps of 2^-9.
func float8(_ code: UInt8) -> Float {
    let exponent = Int(code >> 3 & 15)
    let fraction = Float(code & 7) / 8
    let magnitude = exponent == 0 ? fraction * 0x1p-6 : (1 + fraction) * Float(sign: .plus, exponent: exponent - 7, significand: 1)
    return code >= 128 ? -magnitude : magnitude
}
