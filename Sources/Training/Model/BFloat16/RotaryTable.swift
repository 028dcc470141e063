import Checkpoints
import Engine
import KernelInterface

/// The sines and cosines of the rotary angles for the positions of a batch. Each position is computed once.
struct RotaryTable {
    private let half: Int
    private let positions: [Int32]
    /// (positions, headDimension / 2) each.
    private let cosines, sines, negativeSines: Buffer<Float>

    init(_ config: ModelConfig, positions: [Int32], pool: WorkerPool) {
        half = config.headDimension / 2
        self.positions = positions
        let count = Int(positions.max() ?? 0) + 1
        let (cosines, sines) = (Buffer<Float>(count: count * half), Buffer<Float>(count: count * half))
        let negativeSines = Buffer<Float>(count: count * half)
        let embedding = RotaryEmbedding(config.rope, headDimension: config.headDimension)
        let half = half
        pool.forEachPiece(of: count, size: 64) { _, places in
            for place in places {
                embedding.fill(position: place, cosines: cosines.base + place * half, sines: sines.base + place * half)
                for index in place * half..<(place + 1) * half { negativeSines.base[index] = -sines.base[index] }
            }
        }
        (self.cosines, self.sines, self.negativeSines) = (cosines, sines, negativeSines)
    }

    /// Rotates the heads of a token. The backward pass rotates by the negative angle.
    func rotate(
        _ row: UnsafeMutablePointer<Float>, heads: Int, token: Int, backward: Bool = false,
        _ kernels: any TrainingKernels.Type
    ) {
        let place = Int(positions[token]) * half
        kernels.rotate(
            x: row, heads: heads, headDimension: 2 * half, cosines: cosines.base + place,
            sines: (backward ? negativeSines : sines).base + place)
    }
}
