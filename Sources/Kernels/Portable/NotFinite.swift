// Searches for codes that are not finite numbers, at the speed of memory.

/// A floating-point code of 8, 16 or 32 bits, described by the position of its exponent. The masks repeat the code in 64 bits.
///
/// A code is not finite if all bits of `mask` are set. Only then does adding `step`, the lowest of these bits, set the top bit of
/// the code. No carry leaves a code, because the mask does not include the top bit, the sign.
public struct NotFiniteCode: Sendable {
    let mask: UInt64
    let step: UInt64
    let top: UInt64
    /// The number of bytes of a code.
    public let size: Int

    private init(mask: UInt64, step: UInt64, size: Int) {
        self.mask = mask
        self.step = step
        self.size = size
        switch size {
        case 1: top = 0x8080_8080_8080_8080
        case 2: top = 0x8000_8000_8000_8000
        default: top = 0x8000_0000_8000_0000
        }
    }

    /// E4M3FN. Its NaN has all bits set except the sign, and it has no infinities.
    public static let float8 = NotFiniteCode(mask: 0x7F7F_7F7F_7F7F_7F7F, step: 0x0101_0101_0101_0101, size: 1)
    public static let bfloat16 = NotFiniteCode(mask: 0x7F80_7F80_7F80_7F80, step: 0x0080_0080_0080_0080, size: 2)
    public static let float16 = NotFiniteCode(mask: 0x7C00_7C00_7C00_7C00, step: 0x0400_0400_0400_0400, size: 2)
    public static let float32 = NotFiniteCode(mask: 0x7F80_0000_7F80_0000, step: 0x0080_0000_0080_0000, size: 4)
    /// Numbers from 2^113 on count as not finite: their products with integers of 8 bits may not be.
    public static let bfloat16Scale = NotFiniteCode(mask: 0x7800_7800_7800_7800, step: 0x0800_0800_0800_0800, size: 2)
    /// As ``bfloat16Scale``.
    public static let float32Scale = NotFiniteCode(mask: 0x7800_0000_7800_0000, step: 0x0800_0000_0800_0000, size: 4)

    /// Whether the code at an address is that of a finite number.
    public func isFinite(_ code: UnsafeRawPointer) -> Bool {
        let bits =
            switch size {
            case 1: UInt64(code.loadUnaligned(as: UInt8.self))
            case 2: UInt64(code.loadUnaligned(as: UInt16.self))
            default: UInt64(code.loadUnaligned(as: UInt32.self))
            }
        let mask = self.mask & (1 << UInt64(8 * size) - 1)
        return bits & mask != mask
    }
}

extension Portable {
    /// The number of bytes that ``finitePrefix(_:count:code:)`` checks together.
    public static let finiteBlock = 256

    /// Returns the number of leading bytes in blocks with only finite codes: those of all whole blocks, or those before the first
    /// block with a code that is not finite. O(count).
    ///
    /// - Parameters:
    ///   - bytes: The codes, at any alignment.
    ///   - count: The number of bytes.
    public static func finitePrefix(_ bytes: UnsafeRawPointer, count: Int, code: NotFiniteCode) -> Int {
        let mask = SIMD8<UInt64>(repeating: code.mask)
        let step = SIMD8<UInt64>(repeating: code.step)
        let top = SIMD8<UInt64>(repeating: code.top)
        var offset = 0
        while offset + finiteBlock <= count {
            var found = SIMD8<UInt64>(repeating: 0)
            var part = offset
            while part < offset + finiteBlock {
                let words = bytes.loadUnaligned(fromByteOffset: part, as: SIMD8<UInt64>.self)
                found |= (words & mask) &+ step
                part += 64
            }
            found &= top
            if found != SIMD8<UInt64>(repeating: 0) { break }
            offset += finiteBlock
        }
        return offset
    }
}
