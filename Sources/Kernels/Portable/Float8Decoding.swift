import KernelInterface

extension Portable.Float8Weights {
    /// Decodes `count` lines of E4M3FN weights to float32, (4 * count, 16).
    @inline(__always)
    static func decode(_ lines: UnsafeRawPointer, _ count: Int, _ panel: UnsafeMutablePointer<Float>) {
        var line = 0
        while line < count {
            var quarter = 0
            while quarter < 4 {
                let source = lines + line * 64 + quarter * 16
                let target = panel + line * 64 + quarter * 4
                decodePairs(source.loadUnaligned(as: SIMD4<UInt16>.self), target)
                decodePairs((source + 8).loadUnaligned(as: SIMD4<UInt16>.self), target + 32)
                quarter += 1
            }
            line += 1
        }
    }
}

/// Decodes two columns of four rows.
@inline(__always)
private func decodePairs(_ pairs: SIMD4<UInt16>, _ target: UnsafeMutablePointer<Float>) {
    let wide = unsafeBitCast(SIMD4<UInt32>(truncatingIfNeeded: pairs), to: SIMD4<Int32>.self)
    let target = UnsafeMutableRawPointer(target)
    target.storeBytes(of: decodeHighByte(wide &<< 24), as: SIMD4<Float>.self)
    target.storeBytes(of: decodeHighByte(wide &<< 16), toByteOffset: 64, as: SIMD4<Float>.self)
}

/// Decodes E4M3FN codes in the top byte of each lane. With sign, exponent and fraction at their float32 positions, a number is the
/// value times 2^-120, also for subnormals. The product with 2^120 is exact.
@inline(__always)
private func decodeHighByte(_ bits: SIMD4<Int32>) -> SIMD4<Float> {
    let mask = Int32(bitPattern: 0x87f0_0000)
    return unsafeBitCast((bits &>> 4) & mask, to: SIMD4<Float>.self) * 0x1p120
}
