import Foundation
import Testing

@testable import Checkpoints
@testable import Engine

struct AttentionTests {
    /// Keys and values of one head in scattered blocks of two parts; the second part is used.
    private struct Cache {
        let width: Int
        let type: KVDataType
        let tokens: Int
        /// The input of the cache; (tokens, width).
        let numbers: (keys: [Float], values: [Float])
        /// The values that the cache stores.
        private(set) var keys: [Float] = []
        private(set) var values: [Float] = []
        let table: [Int32]

        var blockBytes: Int { 16 * type.bytesPerToken(headDimension: width) }

        init(width: Int, tokens: Int, type: KVDataType, random: inout RandomValues) {
            self.width = width
            self.type = type
            self.tokens = tokens
            numbers = (random.floats(tokens * width), random.floats(tokens * width))
            table = (0..<Int32((tokens + 15) / 16 * 2)).map { $0 }.shuffled(using: &random)
            keys = stored(numbers.keys)
            values = stored(numbers.values)
        }

        /// The blocks; parts that were not written stay NaN.
        func written(by kernels: KernelTable) -> [UInt8] {
            var bytes = [UInt8](repeating: 0xff, count: table.count * blockBytes)
            bytes.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                for token in 0..<tokens {
                    let place = token * width..<(token + 1) * width
                    let block = base + Int(table[token / 16 * 2 + 1]) * blockBytes
                    kernels.writeCache(
                        type.cacheFormat, keys: Array(numbers.keys[place]), values: Array(numbers.values[place]),
                        headDimension: width,
                        block: block, token: token % 16)
                }
            }
            return bytes
        }

        /// The values that the cache stores for `numbers`, (tokens, width).
        private func stored(_ numbers: [Float]) -> [Float] {
            switch type {
            case .f32: numbers
            case .bf16: numbers.map(nearestBFloat16)
            case .fp8:
                stride(from: 0, to: numbers.count, by: width).flatMap { start in
                    let token = numbers[start..<start + width]
                    let scale = (token.map(\.magnitude).max() ?? 0) / 448
                    return token.map { nearestFloat8($0 / scale) * scale }
                }
            }
        }

        func attend(
            _ query: [Float], _ visible: Range<Int>, bytes: [UInt8], kernels: KernelTable
        ) -> [Float] {
            let heads = query.count / width
            var out = [Float](repeating: .nan, count: query.count)
            var total = [Float](repeating: .nan, count: heads * (width + 2))
            var partial = total
            bytes.withUnsafeBytes { bytes in
                table.withUnsafeBufferPointer { table in
                    guard let base = bytes.baseAddress, let table = table.baseAddress else { return }
                    for segment in visible.lowerBound / 256...(visible.upperBound - 1) / 256 {
                        let positions = visible.clamped(to: segment * 256..<(segment + 1) * 256)
                        kernels.attend(
                            type.cacheFormat, query: query, heads: heads, headDimension: width, cache: base,
                            blockBytes: blockBytes, table: table + 1, tableStride: 2, positions: positions, scale: 0.7,
                            partial: &partial)
                        if segment == visible.lowerBound / 256 {
                            total = partial
                        } else {
                            kernels.family.mergeSegment(
                                partial: partial, heads: heads, headDimension: width, total: &total)
                        }
                    }
                }
            }
            kernels.family.finishAttention(total: total, heads: heads, headDimension: width, out: &out)
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

    @Test(
        arguments: [
            (16, .f32), (24, .f32), (64, .bf16), (128, .bf16), (7, .bf16), (64, .fp8), (128, .fp8), (24, .fp8),
            (7, .fp8),
        ] as [(Int, KVDataType)])
    func `attention is softmax over the visible keys, with any other content of the blocks`(
        width: Int, type: KVDataType
    ) throws {
        var random = RandomValues(seed: 10)
        let cache = Cache(width: width, tokens: 700, type: type, random: &random)
        // A tile of four heads, one of two and one of one.
        let query = random.floats(7 * width, in: -4...4)
        let written = KernelTable.available.map { ($0, cache.written(by: $0)) }
        try #require(!written.isEmpty)
        for visible in [0..<1, 0..<16, 5..<6, 3..<40, 0..<256, 250..<257, 255..<512, 17..<700, 0..<700] {
            let want = cache.reference(query, visible)
            for (kernels, bytes) in written {
                // A score from float32 products has an error of about 1e-6, and so has its exponential, relatively; from
                // products rounded to bfloat16, 2^-9 each, about 1e-2.
                let isRounded = type != .f32 && width % 64 == 0 && kernels.roundsActivations
                let bound = isRounded ? 2e-2 : 1e-5
                let got = cache.attend(query, visible, bytes: bytes, kernels: kernels)
                #expect(relativeError(got, want) < bound, "\(visible), \(kernels)")
            }
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
                kernels.writeCache(.bfloat16, keys: value, values: value, headDimension: 1, block: &block, token: 3)
            }
            let bits = block.withUnsafeBytes {
                ($0.load(fromByteOffset: 6, as: UInt16.self), $0.load(fromByteOffset: 38, as: UInt16.self))
            }
            #expect(Float(bitPattern: UInt32(bits.0) << 16) == want && bits.0 == bits.1)
        }
    }

    @Test(arguments: KernelTable.available)
    func `a token's keys and values have the right scale, from the smallest numbers to the largest`(
        kernels: KernelTable
    ) {
        let width = 5
        let tokens: [[Float]] = [
            [0, -0.0, 0, 0, 0], [1, -0.5, 0x1p-9, 0.3, 0], [3e38, -3e38, 1e38, 1, 0],
            [0x1p-149, 0x1p-130, -0x1p-127, 0, 0], [448, 0x1p-10, 0x1p-11, -0x1p-9, 17],
        ]
        for token in tokens {
            var block = [UInt8](repeating: 0xff, count: 16 * KVDataType.fp8.bytesPerToken(headDimension: width))
            kernels.writeCache(
                .float8, keys: token, values: token.reversed(), headDimension: width, block: &block, token: 15)
            func scale(_ part: Int) -> Float {
                block.withUnsafeBytes {
                    $0.loadUnaligned(fromByteOffset: 32 * width + part * 64 + 60, as: Float.self)
                }
            }
            let largest = token.map(\.magnitude).max() ?? 0
            #expect(scale(0) == scale(1) && scale(0).isNormal)
            for (channel, number) in token.enumerated() {
                let key = Float8.values[Int(block[channel * 16 + 15])] * scale(0)
                #expect(abs(key - number) <= max(largest / 448 * 16, 0x1p-126), "\(number) of \(token)")
                #expect(abs(key - number) <= max(number.magnitude / 16, scale(0) / 1024), "\(number) of \(token)")
                #expect(block[channel * 16 + 15] == block[(16 + 15) * width + width - 1 - channel])
            }
        }
        // A NaN stays NaN in all values of the token.
        for number in [Float.nan, .infinity, -.infinity] {
            var block = [UInt8](repeating: 0, count: 16 * KVDataType.fp8.bytesPerToken(headDimension: 1))
            withUnsafePointer(to: number) { number in
                kernels.writeCache(.float8, keys: number, values: number, headDimension: 1, block: &block, token: 0)
            }
            let scale = block.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 32, as: Float.self) }
            #expect(scale.isNaN)
        }
    }
}

/// By comparison with both neighbors.
private func nearestBFloat16(_ value: Float) -> Float {
    let low = Float(bitPattern: value.bitPattern & 0xffff_0000)
    let high = Float(bitPattern: (value.bitPattern & 0xffff_0000) &+ 0x1_0000)
    let (below, above) = (abs(value - low), abs(high - value))
    if below != above { return below < above ? low : high }
    return low.bitPattern >> 16 & 1 == 0 ? low : high
}

/// The finite codes and their values, in order of the values; +0 and -0 are the same.
private let float8Codes: [(value: Float, code: Int)] = (0..<256).filter { $0 & 0x7f != 0x7f && $0 != 0x80 }
    .map { (Float8.values[$0], $0) }.sorted { $0.value < $1.value }

/// By comparison with both neighbors; numbers beyond the largest code have one.
private func nearestFloat8(_ value: Float) -> Float {
    var (low, high) = (0, float8Codes.count - 1)
    while high - low > 1 {
        let middle = (low + high) / 2
        if float8Codes[middle].value <= value { low = middle } else { high = middle }
    }
    let (below, above) = (float8Codes[low], float8Codes[high])
    let (down, up) = (abs(value - below.value), abs(above.value - value))
    if down != up { return down < up ? below.value : above.value }
    return below.code & 1 == 0 ? below.value : above.value
}
