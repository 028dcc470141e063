import KernelInterface

extension Kernels {
    /// Keys and values in E4M3FN. The keys and the values of each token and head have a scale, which maps their largest number to
    /// the largest number of the format.
    public enum Float8Cache: CacheKernels {
        /// Writes the codes, and the scales after the codes of a head.
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

        /// Writes `count` numbers as codes, `stride` bytes apart, and their scale. If a number is not finite, the scale is NaN, so
        /// that the error remains visible.
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
            // The largest magnitude counts as at least 2^-117, so that a scale is never subnormal.
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

    /// Returns the nearest E4M3FN code, ties to even. Numbers beyond ±448 become ±448. Not for NaN.
    @inlinable
    @inline(__always)
    public static func float8Code(_ value: Float) -> UInt8 {
        let sign = UInt8(truncatingIfNeeded: value.bitPattern &>> 24 & 0x80)
        let bits = value.bitPattern & 0x7fff_ffff
        if bits >= 0x43e0_0000 { return sign | 0x7e }
        // Below 2^-6, the values of codes are multiples of 2^-9. Adding 2^14, whose last bit has this value, rounds a number to
        // such a multiple.
        if bits < 0x3c80_0000 {
            return sign | UInt8(truncatingIfNeeded: (Float(bitPattern: bits) + 0x1p14).bitPattern)
        }
        // Keeps 3 of the 23 fraction bits of float32 and changes the bias of the exponent from 127 to 7. A carry propagates into
        // the exponent.
        let rounded = (bits &+ 0x7ffff &+ (bits &>> 20 & 1)) &>> 20
        return sign | UInt8(truncatingIfNeeded: rounded &- 120 &* 8)
    }
}
