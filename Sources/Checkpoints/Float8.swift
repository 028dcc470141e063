import PortableKernels

/// The E4M3FN format: a sign bit, four exponent bits with bias 7, and three mantissa bits. It has no infinities; the largest
/// value is 448, and NaN is 0x7F or 0xFF (Micikevicius et al., "FP8 Formats for Deep Learning", arXiv 2209.05433).
package enum Float8 {
    package static let largest: Float = 448

    /// The value of each of the 256 codes.
    static let values: [Float] = (0...255).map { decode(UInt8($0)) }

    static func decode(_ code: UInt8) -> Float {
        let sign: Float = code & 0x80 == 0 ? 1 : -1
        let exponent = Int(code >> 3 & 0xF)
        let mantissa = Float(code & 7)
        if code & 0x7F == 0x7F { return .nan }
        if exponent == 0 { return sign * mantissa * 0x1p-9 }
        return sign * Float(sign: .plus, exponent: exponent - 7, significand: 1 + mantissa / 8)
    }

    /// Returns the nearest code, ties to even; numbers beyond ±448 become ±448, and NaN stays NaN.
    @inline(__always)
    package static func encode(_ value: Float) -> UInt8 {
        value == value ? Portable.float8Code(value) : 0x7F
    }
}
