/// Returns exp of each lane, to about one unit in the last place. The result is 0 below -87.3, and limited to exp(88.3) above.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, where ln 2 is split in two parts (Cody and Waite), and exp(r) is the polynomial of Cephes'
/// `expf`.
@inline(always)
func exponential(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let low: Float = -87.336_54
    let high: Float = 88.3
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    let rounder: Float = 12_582_912

    var value = x.replacing(with: low, where: x .< low)
    value = value.replacing(with: high, where: value .> high)
    let shifted = multiplyAdd(value, all(1.442_695_04), all(rounder))
    let n = shifted - rounder
    let r = multiplyAdd(n, all(2.121_944_4e-4), multiplyAdd(n, all(-0.693_359_375), value))

    var p = multiplyAdd(r, all(1.987_569_15e-4), all(1.398_199_95e-3))
    p = multiplyAdd(p, r, all(8.333_451_9e-3))
    p = multiplyAdd(p, r, all(4.166_579_59e-2))
    p = multiplyAdd(p, r, all(1.666_666_55e-1))
    p = multiplyAdd(p, r, all(5.000_000_1e-1))
    let fraction = multiplyAdd(p, r * r, r) + 1

    let bits = unsafeBitCast(shifted, to: SIMD16<Int32>.self) &- (Int32(bitPattern: rounder.bitPattern) &- 127)
    let power = unsafeBitCast(bits &<< 23, to: SIMD16<Float>.self)
    return (fraction * power).replacing(with: 0, where: x .< low)
}

/// Returns exp of one number, the same as in a lane.
@inline(always)
func exponential(_ x: Float) -> Float {
    exponential(SIMD16<Float>(repeating: x))[0]
}

/// Returns 1 / (1 + exp(-x)) of each lane.
@inline(always)
func sigmoid(_ x: SIMD16<Float>) -> SIMD16<Float> {
    1 / (1 + exponential(0 - x))
}

@inline(__always)
private func all(_ value: Float) -> SIMD16<Float> {
    SIMD16(repeating: value)
}
