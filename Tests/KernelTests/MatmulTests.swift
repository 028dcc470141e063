import COpenBLAS
import KernelInterface
import TestSupport
import Testing

@testable import Engine

struct MatmulTests {
    private static let shapes: [(rows: Int, columns: Int, tokens: Int)] = [
        (1, 1, 1), (16, 4, 2), (17, 5, 3), (40, 127, 1), (33, 129, 5), (130, 300, 8), (301, 96, 7), (64, 1000, 2),
        (20, 262, 29), (48, 128, 64), (33, 132, 1), (40, 128, 2), (20, 260, 3),
    ]

    /// Counts as skipped on a CPU that lacks a set, which would otherwise seem to be tested.
    @Test func `the kernels of every set are tested`() throws {
        let missing = KernelSet.allCases.filter { !KernelSet.available.contains($0) }
        if !missing.isEmpty { try Test.cancel("this CPU does not run \(missing.map(\.rawValue))") }
        for set in KernelSet.allCases {
            #expect(KernelTable.available.contains { $0.name == set.table(.exact).name })
        }
    }

    @Test(arguments: WeightFormat.allCases, KernelTable.available)
    func `products agree with BLAS on the dequantized weights`(format: WeightFormat, kernels: KernelTable) {
        var random = RandomValues(seed: 1)
        for shape in Self.shapes {
            for block in [(1, shape.columns), (shape.rows, shape.columns), (128, 128), (24, 64), (5, 7)] {
                // Only the portable kernels can split lines of 4 columns.
                if kernels.family.encodesActivations && block.1 % 4 > 0 && block.1 < shape.columns { continue }
                let matrix = TestMatrix(
                    format, rows: shape.rows, columns: shape.columns, scaleBlock: block, kernels: kernels,
                    random: &random)
                let x = random.floats(shape.tokens * shape.columns)
                var want = [Float](repeating: 0, count: shape.tokens * shape.rows)
                cblas_sgemm(
                    CblasRowMajor, CblasNoTrans, CblasTrans, Int32(shape.tokens), Int32(shape.rows),
                    Int32(shape.columns),
                    1, matrix.rounded(x), Int32(shape.columns), matrix.values, Int32(shape.columns), 0, &want,
                    Int32(shape.rows))
                let error = relativeError(matrix.multiply(x), want.map(Double.init))
                #expect(error < 2e-6, "\(shape), scales for \(block)")
                guard format == .float8 else { break }
            }
        }
    }

    @Test(arguments: WeightFormat.allCases, KernelTable.available)
    func `every format has the same layout in every family`(format: WeightFormat, kernels: KernelTable) {
        let layout = kernels.family.weights(format).layout
        #expect(layout == format.layout)
        #expect(layout.lineBytes % 64 == 0)
        #expect(layout.bytes(rows: 17, columns: 1) == 2 * layout.lineBytes)
    }

    @Test(arguments: WeightFormat.allCases, KernelTable.available)
    func `a row alone equals the row in a batch, bit for bit`(format: WeightFormat, kernels: KernelTable) {
        var random = RandomValues(seed: 2)
        let (rows, tokens) = (75, 37)
        // Kernels for few tokens may require whole groups of four columns, also between the boundaries of scales.
        for (columns, block) in [(301, (40, 100)), (300, (40, 100)), (300, (48, 100)), (300, (40, 102))] {
            if kernels.family.encodesActivations && block.1 % 4 > 0 { continue }
            let matrix = TestMatrix(
                format, rows: rows, columns: columns, scaleBlock: block, kernels: kernels, random: &random)
            let x = random.floats(tokens * columns)
            let together = matrix.multiply(x)
            for count in 1...4 {
                for token in stride(from: 0, through: tokens - count, by: count) {
                    let alone = matrix.multiply(Array(x[token * columns..<(token + count) * columns]))
                    #expect(alone == Array(together[token * rows..<(token + count) * rows]))
                    #expect(matrix.multiply(x, xRows: (token..<token + count).map(Int32.init)) == alone)
                }
            }
        }
    }

    @Test(arguments: WeightFormat.allCases, KernelTable.available)
    func `an unpacked row is the stored row times the factor`(format: WeightFormat, kernels: KernelTable) {
        var random = RandomValues(seed: 3)
        let matrix = TestMatrix(format, rows: 35, columns: 71, scaleBlock: (8, 21), kernels: kernels, random: &random)
        for row in 0..<35 {
            #expect(matrix.unpack(row: row, factor: 1) == Array(matrix.values[row * 71..<(row + 1) * 71]))
            #expect(matrix.unpack(row: row, factor: 4) == matrix.values[row * 71..<(row + 1) * 71].map { $0 * 4 })
        }
    }

    @Test(arguments: KernelTable.available)
    func `every E4M3FN code has its value, in a product and in a row`(kernels: KernelTable) throws {
        let table = try #require(Fixtures.json("model/fp8_e4m3fn_table.json")["values"]?.array)
        #expect(table.count == 256)
        for code in 0..<256 {
            // The two NaN codes are refused when a checkpoint is read.
            guard let value = table[code].double else { continue }
            let one = TestMatrix(code: UInt8(code), kernels: kernels)
            let product = one.multiply([1])[0]
            let row = one.unpack(row: 0, factor: 1)[0]
            #expect(Double(product) == value)
            #expect(Double(row) == value && row.sign == (code >= 128 ? .minus : .plus))
        }
    }

    @Test(arguments: KernelTable.available)
    func `all float16 numbers are converted exactly`(kernels: KernelTable) {
        for bits in UInt16.min...UInt16.max {
            let value = Float16(bitPattern: bits)
            guard !value.isNaN else { continue }
            var block = [UInt8](repeating: 0, count: 64)
            withUnsafeBytes(of: bits) { source in
                guard let source = source.baseAddress else { return }
                kernels.pack(.float16, source: source, rows: 1, columns: 1, blocks: 0..<1, target: &block)
            }
            let widened = block.withUnsafeBytes { $0.load(as: Float.self) }
            if widened != Float(value) { Issue.record("code \(bits)") }
        }
    }
}
