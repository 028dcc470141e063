import CIntrinsics

// The family-specific functions that the sources in `Shared` use.

/// Returns a * b + c, rounded once.
@inline(__always)
func multiplyAdd(_ a: SIMD16<Float>, _ b: SIMD16<Float>, _ c: SIMD16<Float>) -> SIMD16<Float> {
    c.addingProduct(a, b)
}

/// The number of tokens whose sums fit in sixteen registers of 256 bits together with the weights.
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
    SIMD16(
        lowHalf: trinity_from_eight_bfloat16(pointer.loadUnaligned(as: SIMD2<Int64>.self)),
        highHalf: trinity_from_eight_bfloat16((pointer + 16).loadUnaligned(as: SIMD2<Int64>.self)))
}

/// Loads sixteen E4M3FN numbers, each multiplied by 2^-8.
@inline(__always)
func float8Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let halves = trinity_float8_halves(pointer.loadUnaligned(as: SIMD2<Int64>.self))
    return SIMD16(
        lowHalf: trinity_from_eight_float16(halves.lowHalf), highHalf: trinity_from_eight_float16(halves.highHalf))
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
    SIMD16(
        lowHalf: trinity_from_eight_float16(pointer.loadUnaligned(as: SIMD2<Int64>.self)),
        highHalf: trinity_from_eight_float16((pointer + 16).loadUnaligned(as: SIMD2<Int64>.self)))
}

/// Converts sixteen integers to floats.
@inline(__always)
func floatLanes(_ values: SIMD16<Int32>) -> SIMD16<Float> {
    SIMD16(
        lowHalf: trinity_from_eight_integers(unsafeBitCast(values.lowHalf, to: SIMD4<Int64>.self)),
        highHalf: trinity_from_eight_integers(unsafeBitCast(values.highHalf, to: SIMD4<Int64>.self)))
}

/// Loads sixteen unsigned bytes.
@inline(__always)
func byteLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Int32> {
    let (low, high) = (pointer.loadUnaligned(as: UInt64.self), (pointer + 8).loadUnaligned(as: UInt64.self))
    return SIMD16(
        lowHalf: unsafeBitCast(trinity_widen_eight_bytes(low), to: SIMD8<Int32>.self),
        highHalf: unsafeBitCast(trinity_widen_eight_bytes(high), to: SIMD8<Int32>.self))
}

/// Loads sixteen signed bytes.
@inline(__always)
func signedByteLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Int32> {
    (byteLanes(pointer) &<< 24) &>> 24
}

/// Stores the low byte of each lane.
@inline(__always)
func storeLowBytes(_ values: SIMD16<Int32>, _ target: UnsafeMutableRawPointer) {
    let bytes = trinity_low_bytes_of_pair(
        unsafeBitCast(values.lowHalf, to: SIMD4<Int64>.self), unsafeBitCast(values.highHalf, to: SIMD4<Int64>.self))
    target.storeBytes(of: bytes, as: SIMD2<Int64>.self)
}

/// The size of the largest tile of a product of bfloat16 matrices: the number of blocks of 16 columns, and the number of rows.
@inline(__always)
var pairTileBlocks: Int { 1 }
@inline(__always)
var pairTileRows: Int { largestTile }

/// Broadcasts a pair of bfloat16 numbers to all lanes.
@inline(__always)
func broadcastPair(_ pair: UnsafeRawPointer) -> SIMD16<UInt32> {
    SIMD16<UInt32>(repeating: pair.loadUnaligned(as: UInt32.self))
}

/// Returns sum + the products of pairs of bfloat16 numbers. The products of the second numbers are added first.
@inline(__always)
func addPairs(_ sum: SIMD16<Float>, _ a: SIMD16<UInt32>, _ b: SIMD16<UInt32>) -> SIMD16<Float> {
    addPairsByHalves(sum, a, b)
}

/// Stores sixteen floats rounded to bfloat16.
@inline(__always)
func storeRounded(_ value: SIMD16<Float>, _ target: UnsafeMutablePointer<UInt16>) {
    storeRoundedByHalves(value, target)
}

/// Rounds twice sixteen floats to bfloat16 and returns them as pairs.
@inline(__always)
func roundedPairs(_ first: SIMD16<Float>, _ second: SIMD16<Float>) -> SIMD16<UInt32> {
    roundedPairsByHalves(first, second)
}
