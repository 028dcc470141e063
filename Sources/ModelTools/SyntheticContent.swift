import Checkpoints
import Engine
import Foundation

/// The contents of a synthetic tensor.
enum SyntheticContent {
    /// Normally distributed numbers, each selected by 16 random bits.
    case bfloat16, float8
    /// Normally distributed numbers, with a quarter of the deviation if `isSmall` is true.
    case float32(isSmall: Bool)
    /// Blocks of `size` random bytes, with `constant` at `offset`. The codes of a quantized format are uniformly distributed. If
    /// `isSigned` is true, the highest bit of the last byte of `constant`, the sign of a scale, is random.
    case blocks(size: Int, constant: [UInt8], offset: Int, isSigned: Bool = false)

    /// The standard deviation of matrices, both normally and uniformly distributed.
    static let deviation: Float = 0.02
    /// The scale of every FP8 block, a power of two as in released checkpoints. The largest weight, 3.5 standard deviations, is
    /// then about 290.
    static let float8Scale: Float = 0x1p-12

    /// Returns content that repeats the bytes.
    static func constant(_ bytes: [UInt8]) -> SyntheticContent {
        .blocks(size: bytes.count, constant: bytes, offset: 0)
    }

    /// Returns content that repeats a number.
    static func constant<Number: BitwiseCopyable>(_ number: Number) -> SyntheticContent {
        constant(bytes(number))
    }

    /// Returns content that repeats a number with random signs.
    static func signed<Number: BitwiseCopyable>(_ number: Number) -> SyntheticContent {
        .blocks(size: MemoryLayout<Number>.size, constant: bytes(number), offset: 0, isSigned: true)
    }

    /// Random bytes.
    static let bytes = SyntheticContent.blocks(size: 8, constant: [], offset: 0)

    /// Returns blocks of a GGUF type with constant scales and random codes.
    ///
    /// - Precondition: a `GGUFMix` has the type.
    static func gguf(_ type: GGUFType) -> SyntheticContent {
        switch type {
        case .float32: .float32(isSmall: false)
        // Codes of two's complement have the mean -0.5. With scales of random signs, values have the mean zero. Otherwise every
        // layer would amplify the same direction, and all tokens would choose the same experts.
        case .q40, .q50, .q80: blocks(type, bytes(scale(type)), at: 0, isSigned: true)
        case .q4K, .q5K: blocks(type, superBlock(type), at: 0)
        // Sixteen scales of one precede the superscale.
        case .q6K: blocks(type, [UInt8](repeating: 1, count: 16) + bytes(scale(type)), at: 192, isSigned: true)
        case .bfloat16: .bfloat16
        // Scale and minimum: values have the mean zero.
        case .q51: blocks(type, bytes(scale(type)) + bytes(scale(type) * -15.5), at: 0)
        case .q41, .float16, .iq4NL, .iq4XS, .mxfp4, .nvfp4: preconditionFailure("no mix has this type")
        }
    }

    /// Returns the scale with which uniformly distributed integers of this many bits have the standard ``deviation``.
    static func scale(bits: Int) -> Float {
        let values = Float(1 << bits)
        return deviation / ((values * values - 1) / 12).squareRoot()
    }

    private static func scale(_ type: GGUFType) -> Float16 {
        switch type {
        case .q40, .q4K: Float16(scale(bits: 4))
        case .q50, .q51, .q5K: Float16(scale(bits: 5))
        case .q6K: Float16(scale(bits: 6))
        default: Float16(scale(bits: 8))
        }
    }

    /// Returns the superscale, the superminimum, and eight scales and minima of one with six bits each, so that the values have
    /// mean zero.
    private static func superBlock(_ type: GGUFType) -> [UInt8] {
        let scale = scale(type)
        let middle: Float16 = type == .q4K ? 7.5 : 15.5
        let ones = [UInt8](repeating: 1, count: 8) + [UInt8](repeating: 0x11, count: 4)
        return bytes(scale) + bytes(scale * middle) + ones
    }

    private static func blocks(
        _ type: GGUFType, _ constant: [UInt8], at offset: Int, isSigned: Bool = false
    ) -> SyntheticContent {
        .blocks(size: type.blockBytes, constant: constant, offset: offset, isSigned: isSigned)
    }

    private static func bytes<Number: BitwiseCopyable>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number) { [UInt8]($0) }
    }
}

/// Fills tensors with ``SyntheticContent``, with the same bytes for any number of threads.
struct SyntheticBytes {
    private let seed: UInt64
    private let pool: WorkerPool
    private let tables = Tables()

    init(seed: UInt64, pool: WorkerPool) {
        self.seed = seed
        self.pool = pool
    }

    /// Fills bytes `start ..< start + bytes.count` of tensor `number`; `start` is a multiple of 64.
    func fill(_ bytes: UnsafeMutableRawBufferPointer, of content: SyntheticContent, number: Int, start: Int) {
        let stream = Self.word(seed, number)
        switch content {
        case .bfloat16: fill(bytes.bindMemory(to: UInt16.self), from: tables.bfloat16, stream, start / 2)
        case .float8: fill(bytes.bindMemory(to: UInt8.self), from: tables.float8, stream, start)
        case .float32(let isSmall):
            fill(bytes.bindMemory(to: Float.self), from: isSmall ? tables.small : tables.normal, stream, start / 4)
        case .blocks(let size, let constant, let offset, let isSigned):
            if constant.count < size || isSigned { fillRandomly(bytes, stream, start) }
            let first = start / size
            let blocks = (start + bytes.count + size - 1) / size - first
            pool.forEachRange(of: blocks, grain: 1 << 14) { range in
                for block in range {
                    let place = (first + block) * size + offset - start
                    for (index, byte) in constant.enumerated() where bytes.indices.contains(place + index) {
                        let random: UInt8 = isSigned && index == constant.count - 1 ? 0x80 : 0
                        bytes[place + index] = byte | bytes[place + index] & random
                    }
                }
            }
        }
    }

    private func fillRandomly(_ bytes: UnsafeMutableRawBufferPointer, _ stream: UInt64, _ start: Int) {
        pool.forEachRange(of: (bytes.count + 7) / 8, grain: 1 << 14) { words in
            for index in words {
                let word = Self.word(stream, start / 8 + index).littleEndian
                let place = UnsafeMutableRawBufferPointer(
                    rebasing: bytes[(index * 8)..<min(index * 8 + 8, bytes.count)])
                withUnsafeBytes(of: word) {
                    place.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<place.count]))
                }
            }
        }
    }

    private func fill<Code: BitwiseCopyable>(
        _ target: UnsafeMutableBufferPointer<Code>, from table: Buffer<Code>, _ stream: UInt64, _ first: Int
    ) {
        let table = table.base
        pool.forEachRange(of: (target.count + 3) / 4, grain: 1 << 14) { words in
            for index in words {
                var bits = Self.word(stream, first / 4 + index)
                for element in index * 4..<min(index * 4 + 4, target.count) {
                    target[element] = table[Int(bits & 0xFFFF)]
                    bits >>= 16
                }
            }
        }
    }

    /// Returns number `index` of a SplitMix64 generator that starts at `state` (Steele, Lea and Flood, "Fast Splittable
    /// Pseudorandom Number Generators", 2014).
    @inline(__always)
    static func word(_ state: UInt64, _ index: Int) -> UInt64 {
        var z = state &+ (UInt64(truncatingIfNeeded: index) &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// Tables with a normally distributed number for each value of 16 random bits, in the formats that are written.
    private struct Tables {
        let normal: Buffer<Float>
        /// The numbers in `normal`, divided by 4.
        let small: Buffer<Float>
        let bfloat16: Buffer<UInt16>
        let float8: Buffer<UInt8>

        init() {
            let count = 1 << 16
            normal = Buffer(count: count)
            small = Buffer(count: count)
            bfloat16 = Buffer(count: count)
            float8 = Buffer(count: count)
            for bits in 0..<count {
                // The Box-Muller transform with 256 radii and 256 angles.
                let radius = (-2 * log((Double(bits >> 8) + 0.5) / 256)).squareRoot()
                let angle = cos(2 * .pi * (Double(bits & 0xFF) + 0.5) / 256)
                let value = Float(radius * angle) * SyntheticContent.deviation
                normal.base[bits] = value
                small.base[bits] = value / 4
                bfloat16.base[bits] = UInt16(truncatingIfNeeded: (value.bitPattern + 0x8000) >> 16)
                float8.base[bits] = Float8.encode(value / SyntheticContent.float8Scale)
            }
        }
    }
}
