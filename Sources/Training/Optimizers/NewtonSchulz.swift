import Engine

/// Newton-Schulz iterations, which bring the singular values of a matrix close to 1, and their memory.
struct NewtonSchulz {
    private let isTransposed: Bool
    /// The matrix (short, long), or its transpose if it has more rows than columns.
    private let x: Matrix
    private let next: Matrix
    /// (short, short).
    private let square: Matrix
    private let polynomial: Matrix
    private let memory: Buffer<Float>

    init(rows: Int, columns: Int) {
        isTransposed = rows > columns
        let (short, long) = (min(rows, columns), max(rows, columns))
        // Products may read past the last row.
        memory = Buffer(count: 2 * short * (short + long) + 16)
        x = Matrix(memory.base, rows: short, columns: long)
        next = Matrix(x.base + short * long, rows: short, columns: long)
        square = Matrix(next.base + short * long, rows: short, columns: short)
        polynomial = Matrix(square.base + short * short, rows: short, columns: short)
    }

    /// The matrix in its original orientation. Write it before ``orthogonalize(_:epsilon:products:)`` and read it afterwards.
    var matrix: Matrix {
        isTransposed ? Matrix(next.base, rows: next.columns, columns: next.rows) : x
    }

    /// Divides by the Frobenius norm, then computes X = a X + (b S + c S S) X with S = X X^T for each triple.
    func orthogonalize(_ coefficients: [Muon.Coefficients], epsilon: Float, products: MatrixProducts) {
        let count = x.rows * x.columns
        if isTransposed { Self.transpose(matrix, into: x) }
        let norm = Float(Vectors.squareSum(x.base, count).squareRoot()) + epsilon
        for index in 0..<count { x.base[index] /= norm }
        for triple in coefficients {
            products.compute(MatrixProduct(left: x, right: x, transposesRight: true, out: square))
            products.compute(MatrixProduct(left: square, right: square, out: polynomial, factor: triple.c))
            for index in 0..<x.rows * x.rows { polynomial.base[index] += triple.b * square.base[index] }
            products.compute(MatrixProduct(left: polynomial, right: x, out: next))
            for index in 0..<count { x.base[index] = triple.a * x.base[index] + next.base[index] }
        }
        if isTransposed { Self.transpose(x, into: matrix) }
    }

    /// Transposes in tiles, so that both sides stay in the cache.
    private static func transpose(_ source: Matrix, into target: Matrix) {
        let size = 16
        for firstRow in stride(from: 0, to: source.rows, by: size) {
            for firstColumn in stride(from: 0, to: source.columns, by: size) {
                for column in firstColumn..<min(firstColumn + size, source.columns) {
                    let out = target.row(column)
                    for row in firstRow..<min(firstRow + size, source.rows) { out[row] = source.row(row)[column] }
                }
            }
        }
    }
}
