import KernelInterface
import Testing

@testable import Engine

/// The products of bfloat16 pairs, computed again one number at a time.
///
/// The CPU adds a pair of columns with two fused multiply-adds, the odd column first. Its manual does not specify this for all
/// numbers, but it holds if the products are neither subnormal nor infinite. Then the order of addition documented in
/// `PackedProduct` determines the result, and the kernels must match it to the last bit.
struct ScalarProductTests {
    private static let shapes: [(rows: Int, columns: Int, scaleBlock: (Int, Int))] = [
        (16, 128, (128, 128)),
        // Ragged ends of rows, panels, lines and pairs.
        (37, 262, (128, 128)), (5, 131, (1, 131)), (21, 303, (8, 44)), (1, 1, (1, 1)), (18, 257, (18, 257)),
    ]

    @Test(
        arguments: [WeightFormat.bfloat16, .float8],
        KernelTable.available.filter { $0.family.encodesActivations })
    func `products have exactly the bits of their definition`(format: WeightFormat, kernels: KernelTable) {
        var random = RandomValues(seed: 5)
        for shape in Self.shapes {
            let matrix = TestMatrix(
                format, rows: shape.rows, columns: shape.columns, scaleBlock: shape.scaleBlock, kernels: kernels,
                random: &random)
            for tokens in [1, 5, 12] { expectBits(of: matrix, x: random.floats(tokens * shape.columns)) }
        }
        let matrix = TestMatrix(
            format, rows: 19, columns: 150, scaleBlock: (16, 64), kernels: kernels, random: &random)
        expectBits(of: matrix, x: random.floats(512 * 150))
    }

    private func expectBits(of matrix: TestMatrix, x: [Float]) {
        let got = matrix.multiply(x)
        let halves = matrix.halves(x)
        let wrong = got.indices.filter { index in
            let (token, row) = index.quotientAndRemainder(dividingBy: matrix.rows)
            let want = product(matrix, row: row, high: halves.high, low: halves.low, first: token * matrix.columns)
            return got[index].bitPattern != want.bitPattern
        }
        #expect(
            wrong.isEmpty,
            "\(matrix.rows) x \(matrix.columns), \(x.count / matrix.columns) tokens: \(wrong.count) of \(got.count)")
    }

    /// One row of the matrix times the row of x that begins at `first`.
    private func product(_ matrix: TestMatrix, row: Int, high: [Float], low: [Float], first: Int) -> Float {
        var sum: Float = 0
        var start = 0
        while start < matrix.columns {
            let end = min((start / 128 + 1) * 128, (start / matrix.scaleWidth + 1) * matrix.scaleWidth, matrix.columns)
            var panel = chains(matrix, row, start..<end, high, first)
            if !matrix.kernels.roundsActivations { panel += chains(matrix, row, start..<end, low, first) }
            sum = panel * matrix.scale(row: row, column: start) + sum
            start = end
        }
        return sum
    }

    /// Even pairs of the panel in one chain and odd pairs in another, added at the end.
    private func chains(_ matrix: TestMatrix, _ row: Int, _ panel: Range<Int>, _ x: [Float], _ first: Int) -> Float {
        var (even, odd): (Float, Float) = (0, 0)
        for column in stride(from: panel.lowerBound, to: panel.upperBound, by: 2) {
            let weight = row * matrix.columns + column
            var chain = (column - panel.lowerBound) % 4 == 0 ? even : odd
            if column + 1 < panel.upperBound { chain.addProduct(x[first + column + 1], matrix.codes[weight + 1]) }
            chain.addProduct(x[first + column], matrix.codes[weight])
            if (column - panel.lowerBound) % 4 == 0 { even = chain } else { odd = chain }
        }
        return even + odd
    }
}
