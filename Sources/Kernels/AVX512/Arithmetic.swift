import CIntrinsics

// The family-specific functions that the sources in `Shared` use.

/// Returns a * b + c, rounded once.
@inline(__always)
func multiplyAdd(_ a: SIMD16<Float>, _ b: SIMD16<Float>, _ c: SIMD16<Float>) -> SIMD16<Float> {
    c.addingProduct(a, b)
}

/// The number of tokens whose sums fit in thirty-two registers of 512 bits together with the weights.
@inline(__always)
var largestTile: Int { 8 }

/// Prefetches the cache line at an address. The address need not be valid.
@inline(__always)
func prefetch(_ address: UnsafeRawPointer) {
    trinity_prefetch(address)
}

/// Returns the larger number of each lane.
@inline(__always)
func larger(_ a: SIMD16<Float>, _ b: SIMD16<Float>) -> SIMD16<Float> {
    trinity_max(b, a)
}

/// Loads sixteen bfloat16 numbers.
@inline(__always)
func bfloat16Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    trinity_from_bfloat16(pointer.loadUnaligned(as: SIMD4<Int64>.self))
}

/// Loads sixteen E4M3FN numbers, each multiplied by 2^-8.
@inline(__always)
func float8Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    trinity_from_float8(pointer.loadUnaligned(as: SIMD2<Int64>.self))
}

/// Returns the largest lane.
@inline(__always)
func largestLane(_ value: SIMD16<Float>) -> Float {
    trinity_largest_lane(value)
}

/// Loads thirty-two E4M3FN numbers, each multiplied by 2^-8.
@inline(__always)
func float8LanePair(_ pointer: UnsafeRawPointer) -> (SIMD16<Float>, SIMD16<Float>) {
    let halves = trinity_float8_wide_halves(pointer.loadUnaligned(as: SIMD4<Int64>.self))
    return (trinity_from_low_halves(halves), trinity_from_high_halves(halves))
}

/// Loads sixteen float16 numbers.
@inline(__always)
func float16Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    trinity_from_float16(pointer.loadUnaligned(as: SIMD4<Int64>.self))
}

/// Converts sixteen integers to floats.
@inline(__always)
func floatLanes(_ values: SIMD16<Int32>) -> SIMD16<Float> {
    trinity_from_integers(unsafeBitCast(values, to: SIMD8<Int64>.self))
}

/// Loads sixteen unsigned bytes.
@inline(__always)
func byteLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Int32> {
    unsafeBitCast(trinity_widen_bytes(pointer.loadUnaligned(as: SIMD2<Int64>.self)), to: SIMD16<Int32>.self)
}

/// Loads sixteen signed bytes.
@inline(__always)
func signedByteLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Int32> {
    unsafeBitCast(trinity_widen_signed_bytes(pointer.loadUnaligned(as: SIMD2<Int64>.self)), to: SIMD16<Int32>.self)
}

/// Stores the low byte of each lane.
@inline(__always)
func storeLowBytes(_ values: SIMD16<Int32>, _ target: UnsafeMutableRawPointer) {
    target.storeBytes(of: trinity_low_bytes(unsafeBitCast(values, to: SIMD8<Int64>.self)), as: SIMD2<Int64>.self)
}

/// The size of the largest tile of a product of bfloat16 matrices: the number of blocks of 16 columns, and the number of rows.
@inline(__always)
var pairTileBlocks: Int { 4 }
@inline(__always)
var pairTileRows: Int { 6 }

/// Broadcasts a pair of bfloat16 numbers to all lanes.
@inline(__always)
func broadcastPair(_ pair: UnsafeRawPointer) -> SIMD16<UInt32> {
    unsafeBitCast(trinity_broadcast_pair(pair), to: SIMD16<UInt32>.self)
}

/// Returns sum + the products of pairs of bfloat16 numbers. The products of the second numbers are added first.
@inline(__always)
func addPairs(_ sum: SIMD16<Float>, _ a: SIMD16<UInt32>, _ b: SIMD16<UInt32>) -> SIMD16<Float> {
    trinity_dot_bfloat16(
        sum, unsafeBitCast(a, to: SIMD8<Int64>.self), unsafeBitCast(b, to: SIMD8<Int64>.self))
}

/// Stores sixteen floats rounded to bfloat16. Denormals become zeros.
@inline(__always)
func storeRounded(_ value: SIMD16<Float>, _ target: UnsafeMutablePointer<UInt16>) {
    UnsafeMutableRawPointer(target).storeBytes(of: trinity_to_bfloat16(value), as: SIMD4<Int64>.self)
}

/// Rounds twice sixteen floats to bfloat16 and returns them as pairs.
@inline(__always)
func roundedPairs(_ first: SIMD16<Float>, _ second: SIMD16<Float>) -> SIMD16<UInt32> {
    unsafeBitCast(trinity_to_bfloat16_pairs(first, second), to: SIMD16<UInt32>.self)
}
