import KernelInterface
import Testing

@testable import Engine

/// Products with quantized weights.
struct QuantizedProductTests {
    /// All formats of checkpoints, with their bits per weight in memory.
    private static let formats: [(format: QuantizedFormat, bits: Double)] = [
        (.q40, 4.5), (.q41, 5), (.q50, 5.5), (.q51, 6), (.q80, 8.5), (.q4K, 4.625), (.q5K, 5.625), (.q6K, 6.625),
        (.iq4NL, 4.5), (.iq4XS, 4.375), (.mxfp4, 4.25), (.nvfp4(.none), 4.5), (.nvfp4(.multiplied), 4.5),
        (.nvfp4(.divided), 4.5), (.channel(.int4), 4), (.channel(.int8), 8),
        (.grouped(.int4, groupColumns: 32, scales: .bfloat16), 4.5),
        (.grouped(.int4, groupColumns: 64, scales: .float16), 4.25),
        (.grouped(.int4, groupColumns: 128, scales: .bfloat16), 4.125),
        (.grouped(.int4, groupColumns: 128, scales: .float32), 4.25),
        (.grouped(.int8, groupColumns: 32, scales: .bfloat16), 8.5),
        (.grouped(.int8, groupColumns: 128, scales: .float16), 8.125),
        (.asymmetric(.uint4, groupColumns: 32, scales: .float16), 5),
        (.asymmetric(.uint4, groupColumns: 128, scales: .bfloat16), 4.25),
        (.asymmetric(.uint4, groupColumns: 128, scales: .float32), 4.5),
        (.asymmetric(.uint8, groupColumns: 32, scales: .bfloat16), 9),
        (.asymmetric(.uint8, groupColumns: 128, scales: .float32), 8.5),
    ]

    private static let shapes: [(rows: Int, columns: Int, tokens: Int)] = [
        (1, 1, 1), (16, 16, 2), (17, 52, 3), (40, 127, 1), (33, 256, 7), (20, 600, 29),
    ]

    private static let families = KernelSet.available.map { $0.table(.exact) }

    @Test(arguments: formats)
    func `a packed matrix takes as many bits as its format says`(format: QuantizedFormat, bits: Double) {
        let bytes = format.bytes(rows: 32, columns: 1024)
        #expect(Double(bytes * 8) / (32 * 1024) == bits)
        #expect(format.blockBytes(columns: 1) % 64 == 0)
        #expect(format.bytes(rows: 17, columns: 1) == 2 * format.blockBytes(columns: 1))
    }

    @Test(arguments: formats.map(\.format), families)
    func `an unpacked row has the exact values, times the factor`(format: QuantizedFormat, kernels: KernelTable) {
        var random = RandomValues(seed: 1)
        for columns in [52, 600] {
            let matrix = QuantizedTestMatrix(
                format, rows: 35, columns: columns, family: kernels.family, random: &random)
            for row in 0..<35 {
                let want = matrix.values[row * columns..<(row + 1) * columns]
                // The sign of a zero counts too.
                #expect(matrix.unpack(row: row, factor: 1).map(\.bitPattern) == want.map(\.bitPattern))
                #expect(matrix.unpack(row: row, factor: 1.5) == want.map { $0 * 1.5 })
            }
        }
    }

    @Test(arguments: formats.map(\.format), families)
    func `products agree with sums of exact values in float64`(format: QuantizedFormat, kernels: KernelTable) {
        var random = RandomValues(seed: 2)
        for (rows, columns, tokens) in Self.shapes {
            let matrix = QuantizedTestMatrix(
                format, rows: rows, columns: columns, family: kernels.family, random: &random)
            let x = random.floats(tokens * columns)
            var want = [Double](repeating: 0, count: tokens * rows)
            // The largest sum of magnitudes, since a sum may cancel out.
            var scale = 0.0
            for token in 0..<tokens {
                for row in 0..<rows {
                    var magnitude = 0.0
                    for column in 0..<columns {
                        let product =
                            Double(x[token * columns + column]) * Double(matrix.values[row * columns + column])
                        want[token * rows + row] += product
                        magnitude += abs(product)
                    }
                    scale = max(scale, magnitude)
                }
            }
            for (terms, tolerance) in [(1, 1e-2), (2, 1e-4), (3, 1e-6)] {
                let got = matrix.multiply(x, terms: terms)
                let error = zip(got, want).map { $0.isNaN ? .infinity : abs(Double($0) - $1) }.max() ?? 0
                #expect(error <= tolerance * scale, "\(rows) x \(columns), \(terms) terms: \(error / scale)")
            }
        }
    }

    @Test(arguments: formats.map(\.format))
    func `vector kernels are equal bit for bit, and portable ones nearly`(format: QuantizedFormat) throws {
        let portable = KernelTable.portable.family
        let vector = Self.families.map(\.family).filter { $0 != portable }
        try #require(!vector.isEmpty)
        var random = RandomValues(seed: 3)
        for (rows, columns, tokens) in Self.shapes {
            let matrix = QuantizedTestMatrix(format, rows: rows, columns: columns, family: portable, random: &random)
            let x = random.floats(tokens * columns, in: -3...3)
            for terms in 1...3 {
                let want = matrix.multiply(x, terms: terms)
                let first = matrix.multiply(x, terms: terms, family: vector[0])
                #expect(relativeError(first, want.map(Double.init)) < 1e-6)
                for family in vector.dropFirst() {
                    #expect(matrix.multiply(x, terms: terms, family: family) == first)
                }
            }
        }
    }

    @Test(arguments: formats.map(\.format), families)
    func `a row alone equals the row in a batch, bit for bit`(format: QuantizedFormat, kernels: KernelTable) {
        var random = RandomValues(seed: 4)
        // More tokens than share a decoding.
        let (rows, columns, tokens) = (35, 301, 131)
        let matrix = QuantizedTestMatrix(format, rows: rows, columns: columns, family: kernels.family, random: &random)
        let x = random.floats(tokens * columns)
        for terms in 1...3 {
            let together = matrix.multiply(x, terms: terms)
            for token in stride(from: 0, to: tokens, by: 5) {
                let alone = matrix.multiply(Array(x[token * columns..<(token + 1) * columns]), terms: terms)
                #expect(alone == Array(together[token * rows..<(token + 1) * rows]))
                #expect(matrix.multiply(x, terms: terms, xRows: [Int32(token)]) == alone)
            }
            // Tiles have one to four tokens. Codes of 4 and 8 bits are decoded for each tile of up to 32 tokens.
            for count in Array(1...10) + [32, 33] {
                let some = matrix.multiply(Array(x[..<(count * columns)]), terms: terms)
                #expect(some == Array(together[..<(count * rows)]), "\(count) tokens, \(terms) terms")
            }
        }
    }

    @Test(arguments: families)
    func `the largest integers do not overflow`(kernels: KernelTable) {
        var random = RandomValues(seed: 5)
        for format in Self.formats.map(\.format) {
            let matrix = QuantizedTestMatrix(format, rows: 16, columns: 256, family: kernels.family, random: &random)
            for sign in [Float(1), -1] {
                let x = [Float](repeating: sign, count: 256)
                for terms in 1...3 {
                    let got = matrix.multiply(x, terms: terms)
                    for row in 0..<16 {
                        let values = matrix.values[row * 256..<(row + 1) * 256].map(Double.init)
                        let (want, scale) = (values.reduce(0, +) * Double(sign), values.map(abs).reduce(0, +))
                        #expect(abs(Double(got[row]) - want) <= 1e-6 * scale, "\(format), \(terms) terms")
                    }
                }
            }
        }
    }

    @Test(arguments: families)
    func `an encoded row has integers, scales and sums`(kernels: KernelTable) {
        var random = RandomValues(seed: 6)
        let columns = 300
        var x = random.floats(columns, in: -2...2)
        for column in 128..<256 { x[column] = 0 }
        for (terms, limit) in [(1, 127), (2, 32512), (3, 8_323_072)] {
            let layout = IntegerRowLayout(columns: columns, terms: terms)
            var row = [SIMD16<UInt32>](repeating: SIMD16(repeating: .max), count: layout.bytes / 64)
            row.withUnsafeMutableBytes { row in
                guard let row = row.baseAddress else { return }
                for segments in [1..<3, 0..<1] {
                    kernels.family.encode(source: x, segments: segments, layout: layout, target: row)
                }
                for segment in 0..<3 {
                    let part = x[segment * 128..<min((segment + 1) * 128, columns)]
                    let scale = (part.map(abs).max() ?? 0) / Float(limit)
                    #expect(row.load(fromByteOffset: layout.scalesOffset + segment * 4, as: Float.self) == scale)
                    var (low, upper) = (Int32(0), Int32(0))
                    for column in 0..<128 {
                        let bytes = (0..<terms).map { term in
                            Int(
                                row.load(
                                    fromByteOffset: term * layout.termBytes + segment * 128 + column, as: Int8.self))
                        }
                        let value = bytes.reversed().reduce(0) { $0 * 256 + $1 }
                        let wanted = column < part.count && scale > 0 ? part[part.startIndex + column] / scale : 0
                        #expect(value == Int(wanted.rounded(.toNearestOrEven)))
                        upper += terms == 3 ? Int32(bytes[2]) : 0
                        low += Int32(terms == 3 ? bytes[1] * 256 + bytes[0] : value)
                    }
                    let sums = layout.sumsOffset + segment * 64
                    #expect(row.load(fromByteOffset: sums + 56, as: Int32.self) == low)
                    guard terms == 3 else { continue }
                    #expect(row.load(fromByteOffset: sums + layout.sumsBytes + 56, as: Int32.self) == upper)
                }
            }
        }
    }

    @Test(arguments: families, [Float.nan, .infinity, -.infinity])
    func `a number that is not finite makes the results NaN, and only those of its row`(
        kernels: KernelTable, number: Float
    ) {
        var random = RandomValues(seed: 7)
        let matrix = QuantizedTestMatrix(.q40, rows: 5, columns: 300, family: kernels.family, random: &random)
        let finite = random.floats(300)
        var x = finite
        x[170] = number
        let y = matrix.multiply(x + finite, terms: 2)
        #expect(y[..<5].allSatisfy { $0.isNaN })
        #expect(Array(y[5...]) == matrix.multiply(finite, terms: 2))
    }
}
