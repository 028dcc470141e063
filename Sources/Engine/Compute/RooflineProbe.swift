import Foundation

/// A probe that measures the limits of this machine with a pool's threads, for comparison in benchmarks.
package struct RooflineProbe {
    private let pool: WorkerPool
    private let isQuick: Bool
    private let time: Duration
    /// The memory to read, in parts that one thread reads at a time. Parts with the same remainder modulo the number of threads are
    /// read first by the same thread.
    private let chunks: [UnsafeRawBufferPointer]
    /// The mappings that own the memory, or empty if another object owns it.
    private let mappings: [HugePageMapping]

    private static let chunkBytes = 4 << 20
    /// The iterations of a pass, chosen so that a pass takes far longer than waking the threads.
    private let iterations: Int

    /// - Parameters:
    ///   - wanted: The number of bytes to read, limited to a quarter of the free memory. The default is far more than the caches
    ///     hold.
    ///   - time: The duration of a measurement, at least three passes. With `isQuick`, a measurement is three short passes.
    package init(
        pool: WorkerPool, isQuick: Bool, bytes wanted: Int? = nil, time: Duration = .milliseconds(333)
    ) {
        self.pool = pool
        self.isQuick = isQuick
        self.time = time
        iterations = isQuick ? 100_000 : 1_000_000
        let wanted = wanted ?? (isQuick ? 128 << 20 : 1 << 30)
        let chunksOfThread = max(min(wanted, MemoryPlan.freeMemory() / 4) / Self.chunkBytes / pool.runs, 1)
        mappings = pool.nodes.nodes.map { node in
            let bytes = node.threads.count * chunksOfThread * Self.chunkBytes
            guard let mapping = HugePageMapping(bytes: bytes, node: node.number) else {
                preconditionFailure("no address space for \(bytes) bytes to read")
            }
            return mapping
        }
        let chunks = Self.inTurn(
            mappings.map { mapping in
                Self.chunks(
                    of: [UnsafeRawBufferPointer(start: mapping.base, count: mapping.bytes)], bytes: Self.chunkBytes)
            }, pool.nodes)
        self.chunks = chunks
        // The threads that read a part write it once. Otherwise all pages would be the system's single zero page.
        pool.parallelFor(chunks: chunks.count) { index in
            let bytes = UnsafeMutableRawBufferPointer(mutating: chunks[index])
            for offset in stride(from: 0, to: bytes.count, by: 4096) { bytes[offset] = 1 }
        }
    }

    /// Creates a probe that reads existing memory.
    ///
    /// - Parameters:
    ///   - memory: The memory of each node of the pool. It must be aligned to 64 bytes, valid as long as this probe, and not empty.
    ///   - time: The duration of a measurement, at least three passes.
    init(pool: WorkerPool, memory: [[UnsafeRawBufferPointer]], time: Duration) {
        self.pool = pool
        self.time = time
        isQuick = false
        iterations = 1_000_000
        mappings = []
        // The parts are small if there is little to read, so that every thread has some.
        let total = memory.joined().reduce(0) { $0 + $1.count }
        let chunkBytes = max(min(total / (4 * pool.threads), Self.chunkBytes), 1 << 12)
        chunks = Self.inTurn(memory.map { Self.chunks(of: $0, bytes: chunkBytes) }, pool.nodes)
    }

    /// Returns parts of at most `bytes` that consist of whole 256-byte units, which one iteration of the reading loop takes.
    private static func chunks(of memory: [UnsafeRawBufferPointer], bytes: Int) -> [UnsafeRawBufferPointer] {
        memory.flatMap { range in
            stride(from: 0, to: range.count / 256 * 256, by: bytes / 256 * 256).map {
                UnsafeRawBufferPointer(rebasing: range[$0..<min($0 + bytes / 256 * 256, range.count / 256 * 256)])
            }
        }
    }

    /// Returns the chunks in the order in which `parallelFor` assigns them to the threads of their nodes, until a node has none
    /// left.
    private static func inTurn(_ chunks: [[UnsafeRawBufferPointer]], _ plan: NodePlan) -> [UnsafeRawBufferPointer] {
        var (left, ordered) = (chunks.map { $0[...] }, [UnsafeRawBufferPointer]())
        while true {
            for (index, node) in plan.nodes.enumerated() {
                for _ in node.threads {
                    guard let chunk = left[index].popFirst() else {
                        return ordered.isEmpty ? Array(chunks.joined()) : ordered
                    }
                    ordered.append(chunk)
                }
            }
        }
    }

    /// Returns the bandwidth of sequential reads by all threads in GB/s, in the best pass.
    package func readBandwidth() -> Double {
        let chunks = chunks
        let bytes = chunks.reduce(0) { $0 + $1.count }
        let sums = Buffer<UInt64>(count: chunks.count * 8)
        return best {
            pool.parallelFor(chunks: chunks.count) { sums.base[$0 * 8] = Self.sum(chunks[$0]) }
            return Double(bytes) / 1e9
        }
    }

    /// Returns the arithmetic rate of all threads in registers in GFLOP/s. It is that of bfloat16 pairs if the kernels multiply
    /// them, and otherwise of float32 numbers.
    package func operationRate(kernels: KernelTable) -> Double {
        let kernels = kernels.family
        let iterations = iterations
        let sums = Buffer<Float>(count: pool.threads * 16)
        return best {
            pool.parallelFor(chunks: pool.threads) { sums.base[$0 * 16] = kernels.peak(iterations: iterations) }
            return Double(pool.threads * iterations * kernels.peakOperations) / 1e9
        }
    }

    /// Returns the rate of products with quantized weights in registers in GFLOP/s: the rate for bytes, divided by the number of
    /// bytes of an activation.
    package func integerRate(kernels: KernelTable) -> Double {
        let (family, iterations) = (kernels.family, iterations)
        let sums = Buffer<Float>(count: pool.threads * 16)
        return best {
            pool.parallelFor(chunks: pool.threads) { sums.base[$0 * 16] = family.integerPeak(iterations: iterations) }
            return Double(pool.threads * iterations * family.integerPeakOperations) / 1e9
        } / Double(kernels.integerTerms)
    }

    /// Returns the best rate of `work`, which returns its amount of work.
    private func best(_ work: () -> Double) -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        var rate = 0.0
        var passes = 0
        repeat {
            let begin = clock.now
            let amount = work()
            rate = max(rate, amount / ((clock.now - begin) / .seconds(1)))
            passes += 1
        } while passes < 3 || !isQuick && clock.now - start < time
        return rate
    }

    /// Returns the sum of all 64-bit words of a chunk. Four independent chains of additions hide the latency.
    private static func sum(_ chunk: UnsafeRawBufferPointer) -> UInt64 {
        guard let start = chunk.baseAddress else { return 0 }
        var (a, b, c, d) = (SIMD8<UInt64>(), SIMD8<UInt64>(), SIMD8<UInt64>(), SIMD8<UInt64>())
        var offset = 0
        while offset < chunk.count {
            a &+= start.load(fromByteOffset: offset, as: SIMD8<UInt64>.self)
            b &+= start.load(fromByteOffset: offset &+ 64, as: SIMD8<UInt64>.self)
            c &+= start.load(fromByteOffset: offset &+ 128, as: SIMD8<UInt64>.self)
            d &+= start.load(fromByteOffset: offset &+ 192, as: SIMD8<UInt64>.self)
            offset &+= 256
        }
        return (a &+ b &+ c &+ d).wrappedSum()
    }
}
