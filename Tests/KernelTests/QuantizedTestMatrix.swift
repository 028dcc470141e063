import KernelInterface

@testable import Engine

/// A random matrix in a quantized format, packed by one family, with its exact values.
struct QuantizedTestMatrix {
    let format: QuantizedFormat
    let rows: Int
    let columns: Int
    /// (rows, columns), by the definition of the format.
    private(set) var values: [Float] = []
    private let family: any KernelFamily.Type
    private var packed: [SIMD16<UInt32>]
    private var rowFactors: [Float]

    init(
        _ format: QuantizedFormat, rows: Int, columns: Int, family: any KernelFamily.Type,
        random: inout RandomValues
    ) {
        (self.format, self.rows, self.columns, self.family) = (format, rows, columns, family)
        let blocks = (rows + 15) / 16
        rowFactors = [Float](repeating: 0, count: blocks * 16)
        packed = [SIMD16<UInt32>](
            repeating: SIMD16(repeating: .max), count: format.bytes(rows: rows, columns: columns) / 64)
        // The rows of the previous block remain in it, as when a matrix is packed.
        let source = QuantizedRows.allocate(format, columns: columns)
        defer { source.deallocate() }
        for block in 0..<blocks {
            let count = min(16, rows - block * 16)
            for row in 0..<count { fill(source, row: row, &random) }
            for row in 0..<count {
                for column in 0..<columns { values.append(source.value(row: row, column: column)) }
            }
            let offset = block * format.blockBytes(columns: columns)
            packed.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                family.pack(source, count: count, block: base + offset)
            }
            for row in 0..<count { rowFactors[block * 16 + row] = source.rowFactors[row] }
        }
    }

    private func fill(_ target: QuantizedRows, row: Int, _ random: inout RandomValues) {
        for column in 0..<columns {
            target.codes[row * target.codeStride + column] = UInt8.random(
                in: 0...UInt8((1 << format.codes.bits) - 1), using: &random)
        }
        for group in 0..<(columns + format.groupColumns - 1) / format.groupColumns {
            let place = row * target.groupStride + group
            let value = Float.random(in: -0.1...0.1, using: &random)
            switch format.scales {
            case .none: break
            case .float16:
                target.scales.storeBytes(of: Float16(value).bitPattern, toByteOffset: place * 2, as: UInt16.self)
            case .bfloat16:
                target.scales.storeBytes(
                    of: UInt16(value.bitPattern >> 16), toByteOffset: place * 2, as: UInt16.self)
            case .float32: target.scales.storeBytes(of: value, toByteOffset: place * 4, as: Float.self)
            case .float8:
                target.scales.storeBytes(of: .random(in: 0...0x7e, using: &random), toByteOffset: place, as: UInt8.self)
            case .exponent:
                target.scales.storeBytes(
                    of: .random(in: 118...124, using: &random), toByteOffset: place, as: UInt8.self)
            case .uint8, .int8:
                target.scales.storeBytes(
                    of: .random(in: 0...(format.scales == .int8 ? 255 : 63), using: &random), toByteOffset: place,
                    as: UInt8.self)
            }
            switch format.minima {
            case .none: break
            case .zeroPoint:
                target.minima.storeBytes(
                    of: .random(in: 0...(format.codes.bits == 8 ? 255 : 16), using: &random), toByteOffset: place,
                    as: UInt8.self)
            case .float16:
                target.minima.storeBytes(
                    of: Float16(Float.random(in: -0.5...0.5, using: &random)).bitPattern, toByteOffset: place * 2,
                    as: UInt16.self)
            case .uint8:
                target.minima.storeBytes(of: .random(in: 0...63, using: &random), toByteOffset: place, as: UInt8.self)
            }
        }
        for block in 0..<target.superStride {
            let place = row * target.superStride + block
            target.superScales[place] = Float16(Float.random(in: -0.01...0.01, using: &random)).bitPattern
            target.superMinima[place] = Float16(Float.random(in: -0.01...0.01, using: &random)).bitPattern
        }
        target.rowFactors[row] = .random(in: 0.5...2, using: &random)
    }

    /// y (tokens, rows) of x (tokens, columns), or of the rows of x selected by `xRows`.
    func multiply(_ x: [Float], terms: Int, xRows: [Int32]? = nil, family: (any KernelFamily.Type)? = nil) -> [Float] {
        let family = family ?? self.family
        let layout = IntegerRowLayout(columns: columns, terms: terms)
        let tokens = xRows?.count ?? x.count / columns
        var encoded = [SIMD16<UInt32>](
            repeating: SIMD16(repeating: .max), count: x.count / columns * layout.bytes / 64)
        var y = [Float](repeating: .nan, count: tokens * rows)
        encoded.withUnsafeMutableBytes { encoded in
            guard let encoded = encoded.baseAddress else { return }
            for row in 0..<x.count / columns {
                family.encode(
                    source: Array(x[row * columns..<(row + 1) * columns]), segments: 0..<layout.segments,
                    layout: layout, target: encoded + row * layout.bytes)
            }
            withPacked { matrix in
                func multiply(_ y: UnsafeMutablePointer<Float>, _ xRows: UnsafePointer<Int32>?) {
                    for block in 0..<(rows + 15) / 16 {
                        family.multiply(
                            matrix,
                            MatmulArguments(
                                firstBlock: block, blocks: 1, x: encoded, xStride: layout.bytes, xRows: xRows,
                                tokens: tokens, y: y, yStride: rows), terms: terms)
                    }
                }
                if let xRows { multiply(&y, xRows) } else { multiply(&y, nil) }
            }
        }
        return y
    }

    /// factor * row
    func unpack(row: Int, factor: Float) -> [Float] {
        var out = [Float](repeating: .nan, count: columns)
        withPacked { family.unpackRow($0, row: row, factor: factor, out: &out) }
        return out
    }

    private func withPacked(_ body: (PackedQuantizedWeights) -> Void) {
        packed.withUnsafeBytes { blocks in
            rowFactors.withUnsafeBufferPointer { factors in
                guard let blocks = blocks.baseAddress, let factors = factors.baseAddress else { return }
                body(
                    PackedQuantizedWeights(
                        format: format, blocks: blocks, rowFactors: factors, rows: rows, columns: columns))
            }
        }
    }
}
