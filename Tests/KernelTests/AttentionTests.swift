import Foundation
import Testing

@testable import Engine

struct AttentionTests {
    /// Keys and values of one head in scattered blocks of two parts, of which the second is used.
    private struct Cache {
        let width: Int
        let isBFloat16: Bool
        let kernels: KernelTable
        let tokens: Int
        var keys: [Float] = []
        var values: [Float] = []
        var table: [Int32] = []
        var bytes: [UInt8] = []

        var blockBytes: Int { 2 * 16 * width * (isBFloat16 ? 2 : 4) }

        /// What was not written stays NaN.
        init(
            width: Int, tokens: Int, isBFloat16: Bool, kernels: KernelTable, random: inout RandomValues
        ) {
            self.kernels = kernels
            self.width = width
            self.isBFloat16 = isBFloat16
            self.tokens = tokens
            keys = random.floats(tokens * width)
            values = random.floats(tokens * width)
            let slots = (tokens + 15) / 16
            table = (0..<Int32(2 * slots)).map { $0 }.shuffled(using: &random)
            let (table, keys, values, blockBytes) = (table, keys, values, blockBytes)
            bytes = [UInt8](repeating: 0xff, count: 2 * slots * blockBytes)
            let write = isBFloat16 ? kernels.writeCacheBFloat16 : kernels.writeCacheFloat32
            bytes.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                for token in 0..<tokens {
                    let place = token * width..<(token + 1) * width
                    let block = base + Int(table[token / 16 * 2 + 1]) * blockBytes
                    write(Array(keys[place]), Array(values[place]), 1, width, block, token % 16)
                }
            }
            guard isBFloat16 else { return }
            self.keys = keys.map(nearestBFloat16)
            self.values = values.map(nearestBFloat16)
        }

        func attend(_ query: [Float], _ visible: Range<Int>) -> [Float] {
            let heads = query.count / width
            var out = [Float](repeating: .nan, count: query.count)
            var total = [Float](repeating: .nan, count: heads * (width + 2))
            var partial = total
            let attend = isBFloat16 ? kernels.attendBFloat16 : kernels.attendFloat32
            bytes.withUnsafeBytes { bytes in
                table.withUnsafeBufferPointer { table in
                    guard let base = bytes.baseAddress, let table = table.baseAddress else { return }
                    for segment in visible.lowerBound / 256...(visible.upperBound - 1) / 256 {
                        let positions = visible.clamped(to: segment * 256..<(segment + 1) * 256)
                        attend(
                            query, heads, width, base, blockBytes, table + 1, 2, positions.lowerBound,
                            positions.upperBound, 0.7, &partial)
                        if segment == visible.lowerBound / 256 {
                            total = partial
                        } else {
                            kernels.mergeSegment(partial, heads, width, &total)
                        }
                    }
                }
            }
            kernels.finishAttention(total, heads, width, &out)
            return out
        }

        func reference(_ query: [Float], _ visible: Range<Int>) -> [Double] {
            var out: [Double] = []
            for head in 0..<query.count / width {
                let scores = visible.map { token in
                    (0..<width).reduce(0) { $0 + Double(query[head * width + $1]) * Double(keys[token * width + $1]) }
                        * 0.7
                }
                let highest = scores.max() ?? 0
                let weights = scores.map { exp($0 - highest) }
                let total = weights.reduce(0, +)
                for channel in 0..<width {
                    out.append(
                        zip(visible, weights).reduce(0) { $0 + Double(values[$1.0 * width + channel]) * $1.1 } / total)
                }
            }
            return out
        }
    }

    @Test(arguments: [(16, false), (24, false), (64, true), (7, true)] as [(Int, Bool)], KernelTable.available)
    func `attention is softmax of the visible keys, whatever else the blocks hold`(
        shape: (width: Int, isBFloat16: Bool), kernels: KernelTable
    ) {
        let (width, isBFloat16) = shape
        var random = RandomValues(seed: 10)
        let cache = Cache(width: width, tokens: 700, isBFloat16: isBFloat16, kernels: kernels, random: &random)
        // A tile of four heads, one of two and one alone.
        let query = random.floats(7 * width, in: -4...4)
        for visible in [0..<1, 0..<16, 5..<6, 3..<40, 0..<256, 250..<257, 255..<512, 17..<700, 0..<700] {
            let got = cache.attend(query, visible)
            // A score of float32 products is off by some 1e-6, and so is its exponential, relatively.
            #expect(relativeError(got, cache.reference(query, visible)) < 1e-5, "\(visible)")
        }
    }

    @Test(arguments: KernelTable.available)
    func `the cache rounds to the nearest bfloat16, ties to even`(kernels: KernelTable) {
        let cases: [(Float, Float)] = [
            (1, 1), (1 + 0x1p-8, 1), (1 + 3 * 0x1p-8, 1 + 0x1p-6), (1 + 0x1p-8 + 0x1p-20, 1 + 0x1p-7), (-0.0, -0.0),
            (.infinity, .infinity), (-(1 + 0x1p-8), -1),
        ]
        for (value, want) in cases {
            var block = [UInt8](repeating: 0, count: 64)
            withUnsafePointer(to: value) { value in
                kernels.writeCacheBFloat16(
                    value, value, 1, 1, &block, 3)
            }
            let bits = block.withUnsafeBytes {
                ($0.load(fromByteOffset: 6, as: UInt16.self), $0.load(fromByteOffset: 38, as: UInt16.self))
            }
            #expect(Float(bitPattern: UInt32(bits.0) << 16) == want && bits.0 == bits.1)
        }
    }
}

/// By comparing with both neighbours.
private func nearestBFloat16(_ value: Float) -> Float {
    let low = Float(bitPattern: value.bitPattern & 0xffff_0000)
    let high = Float(bitPattern: (value.bitPattern & 0xffff_0000) &+ 0x1_0000)
    let (below, above) = (abs(value - low), abs(high - value))
    if below != above { return below < above ? low : high }
    return low.bitPattern >> 16 & 1 == 0 ? low : high
}
