import Checkpoints
import Engine

/// Rotates the queries and keys of sliding-window layers by their positions.
struct RotaryPositions {
    private let half: Int
    /// (tokens, headDimension / 2) each.
    private let cosines: Buffer<Float>
    private let sines: Buffer<Float>
    private let pool: WorkerPool

    init(_ config: ModelConfig, positions: [Int32], pool: WorkerPool) {
        half = config.headDimension / 2
        self.pool = pool
        let (cosines, sines) = (
            Buffer<Float>(count: positions.count * half), Buffer<Float>(count: positions.count * half)
        )
        let embedding = RotaryEmbedding(config.rope, headDimension: config.headDimension)
        let half = half
        pool.forEachPiece(of: positions.count) { _, tokens in
            for token in tokens {
                embedding.fill(
                    position: Int(positions[token]), cosines: cosines.base + token * half,
                    sines: sines.base + token * half)
            }
        }
        (self.cosines, self.sines) = (cosines, sines)
    }

    /// Rotates each head of x (tokens, heads * headDimension) in place. The backward pass rotates by the negative angle.
    func rotate(_ x: Matrix, backward: Bool = false) {
        let sign: Float = backward ? -1 : 1
        pool.forEachPiece(of: x.rows) { _, tokens in
            for token in tokens {
                let (cosine, sine) = (cosines.base + token * half, sines.base + token * half)
                for start in stride(from: 0, to: x.columns, by: 2 * half) {
                    let (low, high) = (x.row(token) + start, x.row(token) + start + half)
                    for index in 0..<half {
                        let (a, b) = (low[index], high[index])
                        low[index] = a * cosine[index] - sign * b * sine[index]
                        high[index] = b * cosine[index] + sign * a * sine[index]
                    }
                }
            }
        }
    }
}
