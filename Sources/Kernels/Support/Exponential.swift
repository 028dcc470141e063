/// exp of each lane, to about one unit in the last place; 0 below -87.3, and held at exp(88.3) above.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts (Cody and Waite), exp(r) by the polynomial of Cephes' `expf`.
@inlinable @inline(__always)
public func exponential(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let low: Float = -87.336_54
    let high: Float = 88.3
    // Adding 1.5 * 2^23 rounds to an integer, which then is in the low bits.
    let rounder: Float = 12_582_912

    var value = x.replacing(with: low, where: x .< low)
    value = value.replacing(with: high, where: value .> high)
    let shifted = value * 1.442_695_04 + rounder
    let n = shifted - rounder
    let r = value - n * 0.693_359_375 - n * -2.121_944_4e-4

    var p = r * 1.987_569_15e-4 + 1.398_199_95e-3
    p = p * r + 8.333_451_9e-3
    p = p * r + 4.166_579_59e-2
    p = p * r + 1.666_666_55e-1
    p = p * r + 5.000_000_1e-1
    let fraction = p * (r * r) + r + 1

    let bits = unsafeBitCast(shifted, to: SIMD16<Int32>.self) &- (Int32(bitPattern: rounder.bitPattern) &- 127)
    let power = unsafeBitCast(bits &<< 23, to: SIMD16<Float>.self)
    return (fraction * power).replacing(with: 0, where: x .< low)
}

/// exp of one number, the same as in a lane.
@inlinable @inline(__always)
public func exponential(_ x: Float) -> Float {
    exponential(SIMD16<Float>(repeating: x))[0]
}

/// 1 / (1 + exp(-x)) of each lane.
@inlinable @inline(__always)
public func sigmoid(_ x: SIMD16<Float>) -> SIMD16<Float> {
    1 / (1 + exponential(0 - x))
}
