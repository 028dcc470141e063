import CIntrinsics

extension Kernels.Float8Weights {
    /// Decodes `count` lines of E4M3FN weights to float32, (4 * count, 16).
    @inline(__always)
    static func decode(_ lines: UnsafeRawPointer, _ count: Int, _ panel: UnsafeMutablePointer<Float>) {
        let target = UnsafeMutableRawPointer(panel)
        var line = 0
        while line < count {
            var quarter = 0
            while quarter < 4 {
                let codes = (lines + line * 64 + quarter * 16).loadUnaligned(as: SIMD16<Int8>.self)
                // Columns 0 and 2 of four rows, then columns 1 and 3.
                let ordered = trinity_even_then_odd(codes)
                let place = target + line * 256 + quarter * 16
                decode(trinity_float8_low_halves(ordered), place)
                decode(trinity_float8_high_halves(ordered), place + 64)
                quarter += 1
            }
            trinity_prefetch(lines + line * 64 + 4096)
            line += 1
        }
    }

    /// Decodes four rows of two columns, which are two columns apart. The float16 numbers are the values times 2^-8, and the
    /// product with 2^8 is exact.
    @inline(__always)
    private static func decode(_ halves: SIMD8<UInt16>, _ target: UnsafeMutableRawPointer) {
        target.storeBytes(of: trinity_from_low_float16(halves) * 0x1p8, as: SIMD4<Float>.self)
        target.storeBytes(of: trinity_from_high_float16(halves) * 0x1p8, toByteOffset: 128, as: SIMD4<Float>.self)
    }
}
