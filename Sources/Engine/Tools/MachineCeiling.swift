import Foundation

/// What this machine can do at most, measured with a pool's threads: the yardstick of a benchmark.
struct MachineCeiling {
    private let pool: WorkerPool
    private let isQuick: Bool

    init(pool: WorkerPool, isQuick: Bool) {
        self.pool = pool
        self.isQuick = isQuick
    }

    /// Bytes a second of sequential reads by all threads from a buffer far larger than any cache, in GB/s; the best of
    /// the passes of about a second.
    func readBandwidth() -> Double {
        let wanted = isQuick ? 16 << 20 : 1 << 30
        let chunkBytes = 4 << 20
        let chunks = max(min(wanted, MemoryPlan.freeMemory() / 4) / chunkBytes, 1)
        // Written once, or all of it would be the system's single page of zeros.
        let buffer = Buffer<UInt64>(count: chunks * chunkBytes / 8)
        for index in stride(from: 0, to: buffer.count, by: 512) { buffer.base[index] = UInt64(index) }
        let sums = Buffer<UInt64>(count: chunks * 8)
        let source = UnsafeRawPointer(buffer.base)
        return best {
            pool.parallelFor(chunks: chunks) { chunk in
                sums.base[chunk * 8] = Self.sum(source + chunk * chunkBytes, bytes: chunkBytes)
            }
            return Double(chunks * chunkBytes) / 1e9
        }
    }

    /// Operations a second of the best kernel for bfloat16 weights on a matrix that stays in the caches, in GFLOP/s.
    func matrixRate(kernels: KernelTable) -> Double {
        let (size, tokens) = isQuick ? (128, 32) : (1024, 512)
        let numbers = OwnedBytes(count: size * size * 2)
        numbers.bytes.bindMemory(to: UInt16.self).update(repeating: 0x3C00)
        let matrix = PackedMatrix(
            LinearWeight(
                rows: size, columns: size, format: .bfloat16, bytes: UnsafeRawBufferPointer(numbers.bytes),
                owner: numbers),
            pool: pool, kernels: kernels)
        let buffer = MatrixRowsBuffer([(tokens, size)], kernels: kernels)
        let x = buffer.rows(width: size)
        x.values.update(repeating: 0.5, count: tokens * size)
        x.encode(rows: 0..<tokens, columns: 0..<size, width: size, kernels: kernels)
        let y = Buffer<Float>(count: tokens * size)
        return best {
            pool.forEachSlice(of: [matrix.blocks]) { _, blocks in
                matrix.multiply(
                    x, xRows: nil, tokens: tokens, into: y.base, yStride: size, blocks: blocks, kernels: kernels)
            }
            return 2 * Double(size * size * tokens) / 1e9
        }
    }

    /// The best rate of `work`, which returns how much it did, within about a second.
    private func best(_ work: () -> Double) -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        var rate = 0.0
        repeat {
            let begin = clock.now
            let amount = work()
            rate = max(rate, amount / ((clock.now - begin) / .seconds(1)))
        } while !isQuick && clock.now - start < .seconds(1)
        return rate
    }

    /// Reads every byte; eight chains of additions hide each other's latency.
    private static func sum(_ start: UnsafeRawPointer, bytes: Int) -> UInt64 {
        var (a, b, c, d) = (SIMD8<UInt64>(), SIMD8<UInt64>(), SIMD8<UInt64>(), SIMD8<UInt64>())
        var offset = 0
        while offset < bytes {
            a &+= start.load(fromByteOffset: offset, as: SIMD8<UInt64>.self)
            b &+= start.load(fromByteOffset: offset &+ 64, as: SIMD8<UInt64>.self)
            c &+= start.load(fromByteOffset: offset &+ 128, as: SIMD8<UInt64>.self)
            d &+= start.load(fromByteOffset: offset &+ 192, as: SIMD8<UInt64>.self)
            offset &+= 256
        }
        return (a &+ b &+ c &+ d).wrappedSum()
    }
}
