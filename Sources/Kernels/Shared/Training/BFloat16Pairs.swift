// Conversion to bfloat16 and products of bfloat16 pairs, for CPUs without instructions for them.

/// Returns sum + the products of pairs of bfloat16 numbers. The products of the second numbers are added first.
@inline(__always)
func addPairsByHalves(_ sum: SIMD16<Float>, _ a: SIMD16<UInt32>, _ b: SIMD16<UInt32>) -> SIMD16<Float> {
    multiplyAdd(
        unsafeBitCast(a &<< 16, to: SIMD16<Float>.self), unsafeBitCast(b &<< 16, to: SIMD16<Float>.self),
        multiplyAdd(
            unsafeBitCast(a & 0xffff_0000, to: SIMD16<Float>.self),
            unsafeBitCast(b & 0xffff_0000, to: SIMD16<Float>.self), sum))
}

/// Stores sixteen floats rounded to bfloat16, in quarters, which are inlined. A conversion of 16 lanes would be a call.
@inline(__always)
func storeRoundedByHalves(_ value: SIMD16<Float>, _ target: UnsafeMutablePointer<UInt16>) {
    let bits = roundedBits(value) &>> 16
    let raw = UnsafeMutableRawPointer(target)
    raw.storeBytes(of: SIMD4<UInt16>(truncatingIfNeeded: bits.lowHalf.lowHalf), as: SIMD4<UInt16>.self)
    (raw + 8).storeBytes(of: SIMD4<UInt16>(truncatingIfNeeded: bits.lowHalf.highHalf), as: SIMD4<UInt16>.self)
    (raw + 16).storeBytes(of: SIMD4<UInt16>(truncatingIfNeeded: bits.highHalf.lowHalf), as: SIMD4<UInt16>.self)
    (raw + 24).storeBytes(of: SIMD4<UInt16>(truncatingIfNeeded: bits.highHalf.highHalf), as: SIMD4<UInt16>.self)
}

/// Rounds twice sixteen floats to bfloat16 and returns them as pairs.
@inline(__always)
func roundedPairsByHalves(_ first: SIMD16<Float>, _ second: SIMD16<Float>) -> SIMD16<UInt32> {
    (roundedBits(first) &>> 16) | (roundedBits(second) & 0xffff_0000)
}

/// Rounds to nearest, ties to even, in the upper halves of the lanes. A NaN stays a NaN.
@inline(__always)
private func roundedBits(_ value: SIMD16<Float>) -> SIMD16<UInt32> {
    let bits = unsafeBitCast(value, to: SIMD16<UInt32>.self)
    let rounded = bits &+ 0x7fff &+ ((bits &>> 16) & 1)
    return rounded.replacing(with: 0x7fc0_0000, where: value .!= value)
}
