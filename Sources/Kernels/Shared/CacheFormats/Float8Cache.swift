import KernelInterface

extension Kernels {
    /// Keys and values in E4M3FN, each token's keys and each token's values of a head with a scale of their own, which makes
    /// the largest of them the format's largest number.
    public enum Float8Cache: CacheKernels {
        /// Writes codes, and behind the codes of a head its scales.
        public static func write(_ arguments: CacheWriteArguments) {
            let (width, token) = (arguments.headDimension, arguments.token)
            var head = 0
            while head < arguments.heads {
                let codes = arguments.block + head * (32 * width + 128)
                let scales = codes + 32 * width
                writeFloat8(
                    arguments.keys + head * width, width, codes.assumingMemoryBound(to: UInt8.self) + token, 16,
                    scales.assumingMemoryBound(to: Float.self) + token)
                writeFloat8(
                    arguments.values + head * width, width,
                    codes.assumingMemoryBound(to: UInt8.self) + (16 + token) * width, 1,
                    scales.assumingMemoryBound(to: Float.self) + 16 + token)
                head += 1
            }
        }

        /// `count` numbers as codes, `stride` bytes apart, and their scale. A number that is not finite makes the scale one
        /// that is none, so that it does not get lost.
        @inline(__always)
        private static func writeFloat8(
            _ numbers: UnsafePointer<Float>, _ count: Int, _ codes: UnsafeMutablePointer<UInt8>, _ stride: Int,
            _ scale: UnsafeMutablePointer<Float>
        ) {
            var largest: Float = 0
            var isFinite = true
            var i = 0
            while i < count {
                let magnitude = Float(bitPattern: numbers[i].bitPattern & 0x7fff_ffff)
                if magnitude > largest { largest = magnitude }
                if magnitude.bitPattern >= 0x7f80_0000 { isFinite = false }
                i += 1
            }
            // As if the largest number had float32's smallest normal magnitude at least: a scale is never a subnormal.
            if largest < 0x1p-117 { largest = 0x1p-117 }
            scale[0] = isFinite ? largest / 448 : Float.nan
            let inverse = 448 / largest
            i = 0
            while i < count {
                codes[i * stride] = isFinite ? float8Code(numbers[i] * inverse) : 0
                i += 1
            }
        }
    }

    /// The nearest E4M3FN code, ties to the even one; beyond ±448 that of ±448. Not for NaN.
    @inlinable
    @inline(__always)
    public static func float8Code(_ value: Float) -> UInt8 {
        let sign = UInt8(truncatingIfNeeded: value.bitPattern &>> 24 & 0x80)
        let bits = value.bitPattern & 0x7fff_ffff
        if bits >= 0x43e0_0000 { return sign | 0x7e }
        // Below 2^-6 codes are multiples of 2^-9: added to 2^14, whose last bit that is, a number is rounded to one.
        if bits < 0x3c80_0000 {
            return sign | UInt8(truncatingIfNeeded: (Float(bitPattern: bits) + 0x1p14).bitPattern)
        }
        // Of float32's 23 bits of mantissa 3 stay, and its bias of 127 becomes 7; a carry runs into the exponent.
        let rounded = (bits &+ 0x7ffff &+ (bits &>> 20 & 1)) &>> 20
        return sign | UInt8(truncatingIfNeeded: rounded &- 120 &* 8)
    }
}
