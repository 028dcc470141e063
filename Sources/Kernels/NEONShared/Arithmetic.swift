import CIntrinsics

// The family-specific functions that the sources in `Shared` use. Sixteen lanes are four registers.

/// Returns a * b + c, rounded once.
@inline(__always)
func multiplyAdd(_ a: SIMD16<Float>, _ b: SIMD16<Float>, _ c: SIMD16<Float>) -> SIMD16<Float> {
    c.addingProduct(a, b)
}

/// The number of tokens whose sums fit in thirty-two registers of 128 bits together with the weights.
@inline(__always)
var largestTile: Int { 4 }

/// Prefetches the cache line at an address. The address need not be valid.
@inline(__always)
func prefetch(_ address: UnsafeRawPointer) {
    trinity_prefetch(address)
}

/// Returns the larger number of each lane.
@inline(__always)
func larger(_ a: SIMD16<Float>, _ b: SIMD16<Float>) -> SIMD16<Float> {
    a.replacing(with: b, where: b .> a)
}

/// Loads sixteen bfloat16 numbers.
@inline(__always)
func bfloat16Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let low = pointer.loadUnaligned(as: SIMD8<UInt16>.self)
    let high = (pointer + 16).loadUnaligned(as: SIMD8<UInt16>.self)
    return joined(
        trinity_from_low_bfloat16(low), trinity_from_high_bfloat16(low), trinity_from_low_bfloat16(high),
        trinity_from_high_bfloat16(high))
}

/// Loads sixteen E4M3FN numbers, each multiplied by 2^-8.
@inline(__always)
func float8Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let codes = pointer.loadUnaligned(as: SIMD16<Int8>.self)
    return float16Lanes(trinity_float8_low_halves(codes), trinity_float8_high_halves(codes))
}

/// Returns the largest lane.
@inline(__always)
func largestLane(_ value: SIMD16<Float>) -> Float { largestLaneByHalves(value) }

/// Loads thirty-two E4M3FN numbers, each multiplied by 2^-8.
@inline(__always)
func float8LanePair(_ pointer: UnsafeRawPointer) -> (SIMD16<Float>, SIMD16<Float>) {
    (float8Lanes(pointer), float8Lanes(pointer + 16))
}

/// Loads sixteen float16 numbers.
@inline(__always)
func float16Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    float16Lanes(
        pointer.loadUnaligned(as: SIMD8<UInt16>.self), (pointer + 16).loadUnaligned(as: SIMD8<UInt16>.self))
}

/// Converts twice eight float16 numbers to floats.
@inline(__always)
private func float16Lanes(_ low: SIMD8<UInt16>, _ high: SIMD8<UInt16>) -> SIMD16<Float> {
    joined(
        trinity_from_low_float16(low), trinity_from_high_float16(low), trinity_from_low_float16(high),
        trinity_from_high_float16(high))
}

/// Converts sixteen integers to floats.
@inline(__always)
func floatLanes(_ values: SIMD16<Int32>) -> SIMD16<Float> {
    joined(
        trinity_from_four_integers(values.lowHalf.lowHalf), trinity_from_four_integers(values.lowHalf.highHalf),
        trinity_from_four_integers(values.highHalf.lowHalf), trinity_from_four_integers(values.highHalf.highHalf))
}

/// Loads sixteen unsigned bytes.
@inline(__always)
func byteLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Int32> {
    let bytes = pointer.loadUnaligned(as: SIMD16<UInt8>.self)
    return joined(
        trinity_widen_four_bytes(bytes, 0), trinity_widen_four_bytes(bytes, 1), trinity_widen_four_bytes(bytes, 2),
        trinity_widen_four_bytes(bytes, 3))
}

/// Loads sixteen signed bytes.
@inline(__always)
func signedByteLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Int32> {
    (byteLanes(pointer) &<< 24) &>> 24
}

/// Stores the low byte of each lane.
@inline(__always)
func storeLowBytes(_ values: SIMD16<Int32>, _ target: UnsafeMutableRawPointer) {
    let bytes = trinity_low_bytes(
        values.lowHalf.lowHalf, values.lowHalf.highHalf, values.highHalf.lowHalf, values.highHalf.highHalf)
    target.storeBytes(of: bytes, as: SIMD16<Int8>.self)
}

/// Joins four registers to sixteen lanes.
@inline(__always)
func joined(_ a: SIMD4<Float>, _ b: SIMD4<Float>, _ c: SIMD4<Float>, _ d: SIMD4<Float>) -> SIMD16<Float> {
    SIMD16(lowHalf: SIMD8(lowHalf: a, highHalf: b), highHalf: SIMD8(lowHalf: c, highHalf: d))
}

/// Joins four registers to sixteen lanes.
@inline(__always)
func joined(_ a: SIMD4<Int32>, _ b: SIMD4<Int32>, _ c: SIMD4<Int32>, _ d: SIMD4<Int32>) -> SIMD16<Int32> {
    SIMD16(lowHalf: SIMD8(lowHalf: a, highHalf: b), highHalf: SIMD8(lowHalf: c, highHalf: d))
}
