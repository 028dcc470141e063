/// Conversions of stored numbers to float32, exact for every type.
enum FloatConversion {
    @inline(__always)
    static func bfloat16(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

    /// Returns the bits of the nearest bfloat16, ties to even. The value must not be NaN.
    @inline(__always)
    static func bfloat16Bits(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }

    /// Returns the power of two that an E8M0 code means (OCP Microscaling formats); 255 is NaN.
    @inline(__always)
    static func e8m0(_ code: UInt8) -> Float {
        switch code {
        case 255: .nan
        // 2^-127 is below the smallest normal float32.
        case 0: 0x1p-127
        default: Float(bitPattern: UInt32(code) << 23)
        }
    }

    /// Returns the elements of `bytes` as float32; `nil` if the type is not a supported floating-point type.
    static func floats(_ bytes: UnsafeRawBufferPointer, type: TensorType) -> [Float]? {
        let count = bytes.count / type.size
        return switch type {
        case .float32:
            (0..<count).map { Float(bitPattern: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)) }
        case .bfloat16: (0..<count).map { bfloat16(bytes.loadUnaligned(fromByteOffset: $0 * 2, as: UInt16.self)) }
        case .float16: (0..<count).map { float16(bytes.loadUnaligned(fromByteOffset: $0 * 2, as: UInt16.self)) }
        case .float8E8M0: bytes.map(e8m0)
        default: nil
        }
    }

    @inline(__always)
    static func float16(_ bits: UInt16) -> Float { Float(Float16(bitPattern: bits)) }
}
