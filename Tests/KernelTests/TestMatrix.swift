import KernelInterface

@testable import Engine

/// A random matrix in one of the stored formats, packed, with its values in float32.
struct TestMatrix {
    let format: WeightFormat
    let kernels: KernelTable
    let rows: Int
    let columns: Int
    /// (rows, columns), scales applied
    private(set) var values: [Float] = []
    /// (rows, columns) as stored
    private(set) var codes: [Float] = []
    private var packed: [UInt8] = []
    /// (row blocks, scaleColumns, scaleRows)
    private var scales: [Float] = []
    private let scaleRows: Int
    private let scaleColumns: Int
    /// Columns that share a scale.
    let scaleWidth: Int

    /// - Parameter scaleBlock: rows and columns of float8 that share a scale
    init(
        _ format: WeightFormat, rows: Int, columns: Int, scaleBlock: (rows: Int, columns: Int), kernels: KernelTable,
        random: inout RandomValues
    ) {
        self.kernels = kernels
        self.format = format
        self.rows = rows
        self.columns = columns
        let isScaled = format == .float8
        scaleWidth = isScaled ? min(scaleBlock.columns, columns) : columns
        scaleColumns = (columns + scaleWidth - 1) / scaleWidth
        let blocks = (rows + 15) / 16
        scaleRows = scaleBlock.rows % 16 == 0 ? 1 : 16
        scales = [Float](repeating: 0, count: blocks * scaleColumns * scaleRows)
        let grid = random.floats(((rows + scaleBlock.rows - 1) / scaleBlock.rows) * scaleColumns, in: 0.001...0.1)
        for row in 0..<rows {
            for column in 0..<scaleColumns {
                let scale = isScaled ? grid[row / scaleBlock.rows * scaleColumns + column] : 1
                scales[(row / 16 * scaleColumns + column) * scaleRows + row % scaleRows] = scale
            }
        }
        fill(&random)
    }

    /// The matrix of one element, `code`, with a scale of 1.
    init(code: UInt8, kernels: KernelTable) {
        self.kernels = kernels
        (format, rows, columns, scaleRows, scaleColumns, scaleWidth) = (.float8, 1, 1, 1, 1, 1)
        scales = [1]
        pack([code])
    }

    private mutating func fill(_ random: inout RandomValues) {
        var source: [UInt8] = []
        for index in 0..<rows * columns {
            let scale = scale(row: index / columns, column: index % columns)
            switch format {
            case .float32:
                let value = Float.random(in: -1...1, using: &random)
                withUnsafeBytes(of: value) { source += $0 }
                codes.append(value)
            case .float16:
                let half = Float16(Float.random(in: -1...1, using: &random))
                withUnsafeBytes(of: half) { source += $0 }
                codes.append(Float(half))
            case .bfloat16:
                let bits = UInt16(Float.random(in: -1...1, using: &random).bitPattern >> 16)
                withUnsafeBytes(of: bits) { source += $0 }
                codes.append(Float(bitPattern: UInt32(bits) << 16))
            case .float8:
                var code = UInt8.random(in: 0...255, using: &random)
                if code & 0x7f == 0x7f { code = 0 }
                source.append(code)
                codes.append(float8(code))
            }
            values.append((codes.last ?? 0) * scale)
        }
        pack(source)
    }

    private mutating func pack(_ source: [UInt8]) {
        let (rows, columns, format, kernels, blocks) = (rows, columns, format, kernels, (rows + 15) / 16)
        packed = [UInt8](repeating: 0xff, count: format.layout.bytes(rows: rows, columns: columns))
        packed.withUnsafeMutableBytes { target in
            source.withUnsafeBytes { source in
                guard let source = source.baseAddress, let target = target.baseAddress else { return }
                // In two parts, like two threads.
                for part in [0..<blocks / 2, blocks / 2..<blocks] {
                    kernels.pack(format, source: source, rows: rows, columns: columns, blocks: part, target: target)
                }
            }
        }
    }

    /// The scale of the element of `codes`.
    func scale(row: Int, column: Int) -> Float {
        scales[(row / 16 * scaleColumns + column / scaleWidth) * scaleRows + row % scaleRows]
    }

    /// y (tokens, rows) of x (tokens, columns), or of the rows of x selected by `xRows`.
    ///
    /// - Parameters:
    ///   - slice: The number of blocks of rows in a call. Tiles may have two blocks; an odd last block has a tile of its own.
    ///   - product: The kernel to call instead of the one for the format.
    func multiply(
        _ x: [Float], xRows: [Int32]? = nil, slice: Int = 3, product: ((PackedWeights, MatmulArguments) -> Void)? = nil
    ) -> [Float] {
        let tokens = xRows?.count ?? x.count / columns
        var y = [Float](repeating: .nan, count: tokens * rows)
        let (source, stride) = encoded(x)
        let blocks = (rows + 15) / 16
        let product = product ?? { kernels.multiply(format, $0, $1) }
        withPacked { matrix in
            source.withUnsafeBytes { source in
                y.withUnsafeMutableBufferPointer { y in
                    guard let source = source.baseAddress, let y = y.baseAddress else { return }
                    for block in Swift.stride(from: 0, to: blocks, by: slice) {
                        func multiply(_ xRows: UnsafePointer<Int32>?) {
                            product(
                                matrix,
                                MatmulArguments(
                                    firstBlock: block, blocks: min(slice, blocks - block), x: source, xStride: stride,
                                    xRows: xRows, tokens: tokens, y: y, yStride: rows))
                        }
                        if let xRows { multiply(xRows) } else { multiply(nil) }
                    }
                }
            }
        }
        return y
    }

    /// The matrix in the kernels' format.
    private func withPacked(_ body: (PackedWeights) -> Void) {
        packed.withUnsafeBytes { lines in
            scales.withUnsafeBufferPointer { scales in
                guard let lines = lines.baseAddress, let scales = scales.baseAddress else { return }
                body(
                    PackedWeights(
                        lines: lines, scales: scales, scaleRows: scaleRows, scaleColumns: scaleColumns,
                        scaleWidth: scaleWidth, rows: rows, columns: columns))
            }
        }
    }

    /// Whether products take encoded rows of x.
    private var isEncoded: Bool { kernels.family.weights(format).activations == .bfloat16Pairs }

    /// Rows of x in the format of the kernels, and the number of elements from row to row.
    private func encoded(_ x: [Float]) -> (bytes: [UInt8], stride: Int) {
        guard isEncoded else { return (x.withUnsafeBytes(Array.init), columns) }
        let stride = kernels.encodedStride(width: columns)
        var target = [UInt16](repeating: 0xffff, count: x.count / columns * stride)
        for row in 0..<x.count / columns {
            target.withUnsafeMutableBufferPointer { target in
                guard let base = target.baseAddress else { return }
                kernels.family.encode(
                    source: Array(x[row * columns..<(row + 1) * columns]), count: columns,
                    padding: (4 - columns % 4) % 4, target: base + row * stride,
                    lowOffset: kernels.roundsActivations ? nil : stride / 2)
            }
        }
        return (target.withUnsafeBytes(Array.init), stride)
    }

    /// The actual factors of products: x rounded by the kernels' encoding.
    func rounded(_ x: [Float]) -> [Float] {
        guard isEncoded else { return x }
        let (high, low) = halves(x)
        return kernels.roundsActivations ? high : zip(high, low).map { $0 + $1 }
    }

    /// x in bfloat16 and its rounding errors, as encoded for products with bfloat16 and float8.
    func halves(_ x: [Float]) -> (high: [Float], low: [Float]) {
        let (bytes, stride) = encoded(x)
        return bytes.withUnsafeBytes { bytes in
            let halves = bytes.bindMemory(to: UInt16.self)
            func half(_ index: Int, _ offset: Int) -> Float {
                Float(bitPattern: UInt32(halves[index / columns * stride + index % columns + offset]) << 16)
            }
            return (x.indices.map { half($0, 0) }, x.indices.map { half($0, stride / 2) })
        }
    }

    /// factor * row
    func unpack(row: Int, factor: Float) -> [Float] {
        var out = [Float](repeating: .nan, count: columns)
        withPacked { kernels.family.weights(format).unpackRow($0, row: row, factor: factor, out: &out) }
        return out
    }
}

/// E4M3FN by its definition: bias 7, subnormals in steps of 2^-9.
func float8(_ code: UInt8) -> Float {
    let exponent = Int(code >> 3 & 15)
    let fraction = Float(code & 7) / 8
    let magnitude =
        exponent == 0 ? fraction * 0x1p-6 : (1 + fraction) * Float(sign: .plus, exponent: exponent - 7, significand: 1)
    return code >= 128 ? -magnitude : magnitude
}
