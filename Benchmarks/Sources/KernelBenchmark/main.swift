// Compares kernel sets with each other and with the limits of the machine. Every figure is the best of many short samples.
// All kinds of samples alternate, so the figures of a line are taken within a minute. Arguments: [threads] [rounds]
// [numbers of tokens for quantized weights, by default 1 512] [a quantized format or FP8, to measure only that one, with these
// numbers of tokens].

import AVX2Kernels
import AVX512Kernels
import Ceilings
import Foundation
import KernelInterface
import PortableKernels

typealias Matmul = @Sendable (PackedWeights, MatmulArguments) -> Void

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let threads = arguments.first ?? ProcessInfo.processInfo.activeProcessorCount
let rounds = arguments.dropFirst().first ?? 10
let tokenCounts = arguments.count > 2 ? Array(arguments.dropFirst(2)) : [1, 512]
let onlyFormat = CommandLine.arguments.dropFirst().first { Int($0) == nil }

/// Random float8 weights in packed form, with rows of x that any kernel set may read as its own kind of numbers.
struct Problem {
    let rows: Int
    let columns: Int
    let tokens: Int
    let weights: UnsafeMutableRawPointer
    let scales: UnsafeMutablePointer<Float>
    let x: UnsafeMutableRawPointer
    let y: UnsafeMutablePointer<Float>

    init(rows: Int, columns: Int, tokens: Int) {
        (self.rows, self.columns, self.tokens) = (rows, columns, tokens)
        weights = .allocate(byteCount: rows * columns + 8192, alignment: 64)
        for i in 0..<rows * columns / 8 {
            // No code greater than 1.75: sums stay finite.
            let bits = (UInt64(truncatingIfNeeded: i) &* 0x9e37_79b9_7f4a_7c15) & 0xbfbf_bfbf_bfbf_bfbf
            weights.storeBytes(of: bits, toByteOffset: i * 8, as: UInt64.self)
        }
        let scaleCount = rows / 16 * (columns / 128)
        scales = .allocate(capacity: scaleCount)
        scales.initialize(repeating: 0.01, count: scaleCount)
        x = .allocate(byteCount: tokens * (columns + 32) * 4, alignment: 64)
        x.initializeMemory(as: UInt16.self, repeating: 0x3c00, count: tokens * (columns + 32) * 2)
        y = .allocate(capacity: tokens * rows)
        y.initialize(repeating: 0, count: tokens * rows)
    }

    func free() {
        weights.deallocate()
        scales.deallocate()
        x.deallocate()
        y.deallocate()
    }

    /// Multiplies repeatedly on all threads, each over its share of row blocks.
    func run(_ matmul: @escaping Matmul, stride: Int, repeats: Int) {
        let blocks = rows / 16
        // The same partition as in the engine: a few slices for each thread.
        let slice = max(blocks / (threads * 8), 1)
        let share = (blocks + threads - 1) / threads
        nonisolated(unsafe) let problem = self
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
            let p = problem
            for _ in 0..<repeats {
                for first in Swift.stride(from: thread * share, to: min((thread + 1) * share, blocks), by: slice) {
                    let count = min(slice, min((thread + 1) * share, blocks) - first)
                    matmul(
                        PackedWeights(
                            lines: p.weights, scales: p.scales, scaleRows: 1, scaleColumns: p.columns / 128,
                            scaleWidth: 128, rows: p.rows, columns: p.columns),
                        MatmulArguments(
                            firstBlock: first, blocks: count, x: p.x, xStride: stride, tokens: p.tokens, y: p.y,
                            yStride: p.rows))
                }
            }
        }
    }
}

/// Elapsed time; with one thread the CPU time, which other processes disturb less.
func seconds(_ body: () -> Void) -> Double {
    if threads == 1 {
        let start = clock()
        body()
        return Double(clock() - start) / Double(CLOCKS_PER_SEC)
    }
    let clock = ContinuousClock()
    return clock.measure(body) / .seconds(1)
}

func line(_ name: String, _ values: [(String, Double)]) {
    let cells = values.map { "\($0.0) \(String(format: "%.1f", $0.1))" }
    print(name.padding(toLength: 28, withPad: " ", startingAt: 0) + cells.joined(separator: "   "))
}

let sets: [(name: String, matmul: Matmul, elements: Int)] = [
    ("portable", Portable.Float8Weights.multiply, 0), ("avx2", AVX2.Float8Weights.multiply, 0),
    ("avx512 exact", AVX512.Float8Weights.multiply, 2),
    ("avx512 fast", AVX512.Float8Weights.multiplyRounded, 2),
]

// One token over weights far larger than the caches: GB/s.
if onlyFormat == nil {
    let problem = Problem(rows: 65536, columns: 2048, tokens: 1)
    let bytes = problem.rows * problem.columns
    var best = [String: Double]()
    for _ in 0..<rounds {
        for set in sets {
            let time = seconds {
                problem.run(
                    set.matmul, stride: set.elements == 0 ? problem.columns : (problem.columns + 32) * set.elements,
                    repeats: 1)
            }
            best[set.name] = max(best[set.name] ?? 0, Double(bytes) / time / 1e9)
        }
        nonisolated(unsafe) let weights = problem.weights
        let share = bytes / threads / 256 * 256
        let time = seconds {
            DispatchQueue.concurrentPerform(iterations: threads) { _ = ceiling_read(weights + $0 * share, share) }
        }
        best["read"] = max(best["read"] ?? 0, Double(bytes) / time / 1e9)
    }
    line("1 token, GB/s", (["read"] + sets.map(\.name)).map { ($0, best[$0] ?? 0) })
    problem.free()
}

// Weights of 1024 x 2048, which the cache holds, and of 32768 x 2048, which it does not: GFLOP/s.
let float8Sizes =
    onlyFormat == "FP8"
    ? tokenCounts.map { ($0, 1024) } + tokenCounts.map { ($0, 32768) }
    : [2, 4, 8, 12, 32, 64, 512].map { ($0, 1024) } + [8, 16, 32].map { ($0, 32768) }
for (tokens, rows) in float8Sizes where onlyFormat == nil || onlyFormat == "FP8" {
    let problem = Problem(rows: rows, columns: 2048, tokens: tokens)
    let operations = Double(2 * problem.rows * problem.columns * tokens)
    let repeats = max(1, Int(2e9 / operations))
    var best = [String: Double]()
    for _ in 0..<rounds {
        for set in sets {
            let count = set.name == "portable" ? max(repeats / 8, 1) : repeats
            let time = seconds {
                problem.run(
                    set.matmul, stride: set.elements == 0 ? problem.columns : (problem.columns + 32) * set.elements,
                    repeats: count)
            }
            best[set.name] = max(best[set.name] ?? 0, operations * Double(count) / time / 1e9)
        }
        nonisolated(unsafe) var operations = 0.0
        let time = seconds {
            DispatchQueue.concurrentPerform(iterations: threads) { index in
                let count = ceiling_bfloat16(1_000_000)
                if index == 0 { operations = count * Double(threads) }
            }
        }
        best["bf16 peak"] = max(best["bf16 peak"] ?? 0, operations / time / 1e9)
    }
    line(
        "\(tokens) tokens\(rows > 1024 ? " from memory" : ""), GFLOP/s",
        (["bf16 peak"] + sets.map(\.name)).map { ($0, best[$0] ?? 0) })
    problem.free()
}

typealias Attend = @Sendable (AttentionArguments) -> Void

/// A number format of cached keys and values, and the kernels that read it.
struct CacheFormat {
    let name: String
    /// Bytes of a block of 16 tokens of one head, 128 channels wide.
    let blockBytes: Int
    /// The value of every two bytes of the elements: a finite number.
    let pattern: UInt16
    let sets: [(name: String, attend: Attend)]
}

let formats = [
    CacheFormat(
        name: "bf16", blockBytes: 8192, pattern: 0x3c00,
        sets: [
            ("portable", Portable.BFloat16Cache.attend), ("avx2", AVX2.BFloat16Cache.attend),
            ("avx512", AVX512.BFloat16Cache.attend),
        ]),
    CacheFormat(
        name: "fp8", blockBytes: 4224, pattern: 0x3838,
        sets: [
            ("portable", Portable.Float8Cache.attend), ("avx2", AVX2.Float8Cache.attend),
            ("avx512", AVX512.Float8Cache.attend), ("avx512 rounded", AVX512.Float8Cache.attendRounded),
        ]),
]

// One row, 4 heads of 128 channels to a key-value head, over a cache far larger than the processor's caches, and over one
// that fits the second-level cache: GB/s.
for format in formats where onlyFormat == nil {
    for slots in [16384, 64 * threads] {
        let (heads, width) = (4, 128)
        let blockBytes = format.blockBytes
        let repeats = max(16384 / slots / 4, 1)
        let cache = UnsafeMutableRawPointer.allocate(byteCount: slots * blockBytes, alignment: 64)
        cache.initializeMemory(as: UInt16.self, repeating: format.pattern, count: slots * blockBytes / 2)
        let table = UnsafeMutablePointer<Int32>.allocate(capacity: slots)
        for slot in 0..<slots { table[slot] = Int32(slot) }
        let query = UnsafeMutablePointer<Float>.allocate(capacity: heads * width)
        query.initialize(repeating: 0.01, count: heads * width)
        let stride = heads * (width + 2)
        let partials = UnsafeMutablePointer<Float>.allocate(capacity: threads * stride)
        var best = [String: Double]()
        let bytes = Double(slots * blockBytes * repeats)
        for _ in 0..<rounds {
            for set in format.sets {
                nonisolated(unsafe) let memory = (cache, table, query, partials)
                let attend = set.attend
                let time = seconds {
                    DispatchQueue.concurrentPerform(iterations: threads) { thread in
                        let (cache, table, query, partials) = memory
                        let share = slots / 32 / threads
                        for _ in 0..<repeats {
                            for segment in thread * share..<(thread + 1) * share {
                                attend(
                                    AttentionArguments(
                                        query: query, heads: heads, headDimension: width, cache: cache,
                                        blockBytes: blockBytes, table: table, tableStride: 1, start: segment * 512,
                                        end: (segment + 1) * 512, scale: 0.1, partial: partials + thread * stride))
                            }
                        }
                    }
                }
                best[set.name] = max(best[set.name] ?? 0, bytes / time / 1e9)
            }
            nonisolated(unsafe) let memory = cache
            let share = slots * blockBytes / threads
            let time = seconds {
                DispatchQueue.concurrentPerform(iterations: threads) { thread in
                    for _ in 0..<repeats { _ = ceiling_read(memory + thread * share, share) }
                }
            }
            best["read"] = max(best["read"] ?? 0, bytes / time / 1e9)
        }
        line(
            "attention, \(format.name)\(repeats > 1 ? " in L2" : ""), GB/s",
            (["read"] + format.sets.map(\.name)).map { ($0, best[$0] ?? 0) })
        cache.deallocate()
    }
}

// Quantized weights: one token over weights far larger than the caches in GB/s, and more tokens over 512 x 2048 weights in
// GFLOP/s, with activations of 8, 16 and 24 bits. The ceiling of arithmetic is the integer peak, divided by 1, 2 and 3.

/// Weights of equal bytes in a quantized format, with encoded rows of x.
struct QuantizedProblem {
    let weights: PackedQuantizedWeights
    let layout: IntegerRowLayout
    let tokens: Int
    let x: UnsafeMutableRawPointer
    let y: UnsafeMutablePointer<Float>

    init(_ format: QuantizedFormat, rows: Int, tokens: Int, terms: Int, blocks: UnsafeMutableRawPointer) {
        let columns = 2048
        self.tokens = tokens
        let factors = UnsafeMutablePointer<Float>.allocate(capacity: rows)
        factors.initialize(repeating: 1, count: rows)
        weights = PackedQuantizedWeights(
            format: format, blocks: blocks, rowFactors: factors, rows: rows, columns: columns)
        layout = IntegerRowLayout(columns: columns, terms: terms)
        x = .allocate(byteCount: tokens * layout.bytes, alignment: 64)
        let row = (0..<columns).map { Float($0 * 7919 % 1001) / 1000 - 0.5 }
        for token in 0..<tokens {
            Portable.encode(
                source: row, segments: 0..<layout.segments, layout: layout, target: x + token * layout.bytes)
        }
        y = .allocate(capacity: tokens * rows)
        y.initialize(repeating: 0, count: tokens * rows)
    }

    func free() {
        weights.rowFactors.deallocate()
        x.deallocate()
        y.deallocate()
    }

    /// Multiplies repeatedly on all threads, each over its share of row blocks.
    func run(_ family: any KernelFamily.Type, repeats: Int) {
        let blocks = weights.rows / 16
        let share = (blocks + threads - 1) / threads
        nonisolated(unsafe) let problem = self
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
            let p = problem
            for _ in 0..<repeats {
                family.multiply(
                    p.weights,
                    MatmulArguments(
                        firstBlock: thread * share, blocks: min(share, blocks - thread * share), x: p.x,
                        xStride: p.layout.bytes, tokens: p.tokens, y: p.y, yStride: p.weights.rows),
                    terms: p.layout.terms)
            }
        }
    }
}

let quantizedFormats: [(name: String, format: QuantizedFormat)] = [
    ("Q4_0", .q40), ("int4 g128", .grouped(.int4, groupColumns: 128, scales: .bfloat16)),
    ("NVFP4", .nvfp4(.multiplied)), ("MXFP4", .mxfp4), ("Q4_K", .q4K), ("Q5_K", .q5K), ("Q6_K", .q6K), ("Q8_0", .q80),
]
let families: [(name: String, family: any KernelFamily.Type)] = [("avx2", AVX2.self), ("avx512", AVX512.self)]
let quantizedBytes = 128 << 20
let quantizedWeights = UnsafeMutableRawPointer.allocate(byteCount: quantizedBytes + 8192, alignment: 64)
quantizedWeights.initializeMemory(as: UInt8.self, repeating: 0x11, count: quantizedBytes)
for (name, format) in quantizedFormats where onlyFormat ?? name == name {
    for tokens in tokenCounts {
        let rows = tokens == 1 ? quantizedBytes / format.bytes(rows: 16, columns: 2048) * 16 : 512
        let problems = (1...3).map {
            QuantizedProblem(format, rows: rows, tokens: tokens, terms: $0, blocks: quantizedWeights)
        }
        let bytes = Double(format.bytes(rows: rows, columns: 2048))
        let amount = tokens == 1 ? bytes / 1e9 : Double(2 * rows * 2048 * tokens) / 1e9
        var best = [String: Double]()
        var names: [String] = []
        // One product is so short that starting the threads would count.
        let repeats = tokens == 1 ? 1 : 16 * max(512 / tokens, 1)
        for round in 0..<rounds {
            for (set, family) in families {
                for problem in problems {
                    let key = "\(set) int\(problem.layout.terms * 8)"
                    if round == 0 { names.append(key) }
                    let time = seconds { problem.run(family, repeats: repeats) }
                    best[key] = max(best[key] ?? 0, amount * Double(repeats) / time)
                }
                guard tokens > 1 else { continue }
                let iterations = 1_000_000
                let time = seconds {
                    DispatchQueue.concurrentPerform(iterations: threads) { _ in
                        _ = family.integerPeak(iterations: iterations)
                    }
                }
                let key = "\(set) peak"
                if round == 0 { names.insert(key, at: names.count - 3) }
                best[key] = max(
                    best[key] ?? 0, Double(threads * iterations * family.integerPeakOperations) / time / 1e9)
            }
            guard tokens == 1 else { continue }
            nonisolated(unsafe) let memory = quantizedWeights
            let share = quantizedBytes / threads
            let time = seconds {
                DispatchQueue.concurrentPerform(iterations: threads) { _ = ceiling_read(memory + $0 * share, share) }
            }
            if round == 0 { names.insert("read", at: 0) }
            best["read"] = max(best["read"] ?? 0, Double(quantizedBytes) / time / 1e9)
        }
        let unit = tokens == 1 ? "token, GB/s" : "tokens, GFLOP/s"
        line("\(name), \(tokens) \(unit)", names.map { ($0, best[$0] ?? 0) })
        for problem in problems { problem.free() }
    }
}
quantizedWeights.deallocate()
