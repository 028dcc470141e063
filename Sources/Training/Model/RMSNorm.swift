import Engine

/// RMS normalization of the rows of a matrix: y = gain x r with r = 1 / sqrt(mean(x^2) + epsilon).
struct RMSNorm {
    let epsilon: Float
    let pool: WorkerPool

    /// Computes y = norm(x), or y += norm(x).
    func forward(_ x: Matrix, gain: UnsafePointer<Float>, into y: Matrix, adds: Bool = false) {
        pool.forEachPiece(of: x.rows) { _, rows in
            for row in rows {
                let (input, output) = (x.row(row), y.row(row))
                let factor = inverseRoot(input, x.columns)
                for column in 0..<x.columns {
                    let value = gain[column] * (input[column] * factor)
                    output[column] = adds ? output[column] + value : value
                }
            }
        }
    }

    /// Computes dx = r (u - x r^2 mean(u x)) with u = dy gain, which replaces or is added to dx. Adds the sum over rows of dy x r
    /// to dgain, unless it is `nil`.
    func backward(
        _ dy: Matrix, x: Matrix, gain: UnsafePointer<Float>, into dx: Matrix, adds: Bool = false,
        gainGradient: UnsafeMutablePointer<Float>?
    ) {
        let width = x.columns
        let pieces = (x.rows + WorkerPool.pieceSize - 1) / WorkerPool.pieceSize
        // The sum of each piece. The sums are added in order below.
        let sums = Buffer<Float>(count: pieces * width)
        pool.forEachPiece(of: x.rows) { piece, rows in
            let sum = sums.base + piece * width
            for row in rows {
                let (input, gradient, output) = (x.row(row), dy.row(row), dx.row(row))
                let factor = inverseRoot(input, width)
                var product: Float = 0
                for column in 0..<width { product += gradient[column] * gain[column] * input[column] }
                let pull = factor * factor * product / Float(width)
                for column in 0..<width {
                    sum[column] += gradient[column] * input[column] * factor
                    let value = factor * (gradient[column] * gain[column] - input[column] * pull)
                    output[column] = adds ? output[column] + value : value
                }
            }
        }
        guard let gainGradient else { return }
        for piece in 0..<pieces { Vectors.add(sums.base + piece * width, times: 1, to: gainGradient, width) }
    }

    @inline(__always)
    private func inverseRoot(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
        1 / (Vectors.dot(x, x, count) / Float(count) + epsilon).squareRoot()
    }
}
