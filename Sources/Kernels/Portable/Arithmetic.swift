// The family-specific functions that the sources in `Shared` use.

/// Returns a * b + c, rounded twice. Without hardware support, a fused multiply-add is a function call per lane.
@inline(__always)
func multiplyAdd(_ a: SIMD16<Float>, _ b: SIMD16<Float>, _ c: SIMD16<Float>) -> SIMD16<Float> {
    a * b + c
}

/// Does nothing: prefetching is left to the CPU.
@inline(__always)
func prefetch(_ address: UnsafeRawPointer) {}

/// The number of tokens whose sums fit in sixteen registers of 128 bits together with the weights.
@inline(__always)
var largestTile: Int { 2 }

/// Returns the larger number of each lane.
@inline(__always)
func larger(_ a: SIMD16<Float>, _ b: SIMD16<Float>) -> SIMD16<Float> {
    a.replacing(with: b, where: b .> a)
}

/// Loads sixteen bfloat16 numbers, in quarters, which are inlined. A conversion of 16 lanes would be a call.
@inline(__always)
func bfloat16Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let low = SIMD8<Float>(lowHalf: bfloat16Quarter(pointer), highHalf: bfloat16Quarter(pointer + 8))
    let high = SIMD8<Float>(lowHalf: bfloat16Quarter(pointer + 16), highHalf: bfloat16Quarter(pointer + 24))
    return SIMD16<Float>(lowHalf: low, highHalf: high)
}

/// Loads four bfloat16 numbers.
@inline(__always)
func bfloat16Quarter(_ pointer: UnsafeRawPointer) -> SIMD4<Float> {
    let bits = SIMD4<UInt32>(truncatingIfNeeded: pointer.loadUnaligned(as: SIMD4<UInt16>.self)) &<< 16
    return unsafeBitCast(bits, to: SIMD4<Float>.self)
}

/// Loads sixteen E4M3FN numbers, each multiplied by 2^-8, also in quarters.
@inline(__always)
func float8Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let low = SIMD8<Float>(lowHalf: float8Quarter(pointer), highHalf: float8Quarter(pointer + 4))
    let high = SIMD8<Float>(lowHalf: float8Quarter(pointer + 8), highHalf: float8Quarter(pointer + 12))
    return SIMD16<Float>(lowHalf: low, highHalf: high)
}

/// Loads four E4M3FN numbers, each multiplied by 2^-8. With sign, exponent and fraction at their float32 positions, a number is the
/// value times 2^-120.
@inline(__always)
private func float8Quarter(_ pointer: UnsafeRawPointer) -> SIMD4<Float> {
    let codes = SIMD4<UInt32>(truncatingIfNeeded: pointer.loadUnaligned(as: SIMD4<UInt8>.self))
    let bits = (codes & 0x80) &<< 24 | (codes & 0x7f) &<< 20
    return unsafeBitCast(bits, to: SIMD4<Float>.self) * 0x1p112
}

/// Returns the largest lane.
@inline(__always)
func largestLane(_ value: SIMD16<Float>) -> Float { largestLaneByHalves(value) }

/// Loads thirty-two E4M3FN numbers, each multiplied by 2^-8.
@inline(__always)
func float8LanePair(_ pointer: UnsafeRawPointer) -> (SIMD16<Float>, SIMD16<Float>) {
    (float8Lanes(pointer), float8Lanes(pointer + 16))
}

/// Loads sixteen finite float16 numbers, in quarters like `bfloat16Lanes`.
@inline(__always)
func float16Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let low = SIMD8<Float>(lowHalf: float16Quarter(pointer), highHalf: float16Quarter(pointer + 8))
    let high = SIMD8<Float>(lowHalf: float16Quarter(pointer + 16), highHalf: float16Quarter(pointer + 24))
    return SIMD16<Float>(lowHalf: low, highHalf: high)
}

/// Loads four float16 numbers. With sign, exponent and fraction at their float32 positions, a number is the value times 2^-112.
@inline(__always)
private func float16Quarter(_ pointer: UnsafeRawPointer) -> SIMD4<Float> {
    let halves = SIMD4<UInt32>(truncatingIfNeeded: pointer.loadUnaligned(as: SIMD4<UInt16>.self))
    let bits = (halves & 0x8000) &<< 16 | (halves & 0x7fff) &<< 13
    return unsafeBitCast(bits, to: SIMD4<Float>.self) * 0x1p112
}

/// Converts sixteen integers to floats, in quarters like `bfloat16Lanes`.
@inline(__always)
func floatLanes(_ values: SIMD16<Int32>) -> SIMD16<Float> {
    let low = SIMD8<Float>(
        lowHalf: SIMD4<Float>(values.lowHalf.lowHalf), highHalf: SIMD4<Float>(values.lowHalf.highHalf))
    let high = SIMD8<Float>(
        lowHalf: SIMD4<Float>(values.highHalf.lowHalf), highHalf: SIMD4<Float>(values.highHalf.highHalf))
    return SIMD16<Float>(lowHalf: low, highHalf: high)
}

/// Loads sixteen unsigned bytes.
@inline(__always)
func byteLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Int32> {
    var values = SIMD16<Int32>.zero
    var lane = 0
    while lane < 16 {
        values[lane] = Int32(truncatingIfNeeded: pointer.load(fromByteOffset: lane, as: UInt8.self))
        lane += 1
    }
    return values
}

/// Loads sixteen signed bytes.
@inline(__always)
func signedByteLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Int32> {
    (byteLanes(pointer) &<< 24) &>> 24
}

/// Stores the low byte of each lane.
@inline(__always)
func storeLowBytes(_ values: SIMD16<Int32>, _ target: UnsafeMutableRawPointer) {
    var lane = 0
    while lane < 16 {
        target.storeBytes(of: Int8(truncatingIfNeeded: values[lane]), toByteOffset: lane, as: Int8.self)
        lane += 1
    }
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
