import CIntrinsics

extension AVX2.Float8Weights {
    /// Decodes `count` lines of E4M3FN weights to float32, (4 * count, 16).
    @inline(__always)
    static func decode(_ lines: UnsafeRawPointer, _ count: Int, _ panel: UnsafeMutablePointer<Float>) {
        let target = UnsafeMutableRawPointer(panel)
        var line = 0
        while line < count {
            var half = 0
            while half < 2 {
                let source = (lines + line * 64 + half * 32).loadUnaligned(as: SIMD4<Int64>.self)
                let place = target + line * 256 + half * 32
                storePairs(trinity_widen_low_pairs(source), place)
                storePairs(trinity_widen_high_pairs(source), place + 128)
                half += 1
            }
            trinity_prefetch(lines + line * 64 + 4096)
            line += 1
        }
    }
}

/// Decodes and stores two columns of eight rows.
@inline(__always)
private func storePairs(_ pairs: SIMD4<Int64>, _ target: UnsafeMutableRawPointer) {
    let (first, second) = float8Columns(pairs)
    target.storeBytes(of: first, as: SIMD8<Float>.self)
    target.storeBytes(of: second, toByteOffset: 64, as: SIMD8<Float>.self)
}

/// Decodes two columns of eight rows, which are in the upper bytes of each lane.
@inline(__always)
func float8Columns(_ pairs: SIMD4<Int64>) -> (SIMD8<Float>, SIMD8<Float>) {
    let wide = unsafeBitCast(pairs, to: SIMD8<Int32>.self)
    return (decodeHighByte(wide &<< 8), decodeHighByte(wide))
}

/// Decodes E4M3FN codes in the top byte of each lane. With sign, exponent and fraction at their float32 positions, a number is the
/// value times 2^-120, also for subnormals. The product with 2^120 is exact.
@inline(__always)
private func decodeHighByte(_ bits: SIMD8<Int32>) -> SIMD8<Float> {
    let mask = Int32(bitPattern: 0x87f0_0000)
    return unsafeBitCast((bits &>> 4) & mask, to: SIMD8<Float>.self) * 0x1p120
}
