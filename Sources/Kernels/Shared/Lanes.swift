// Functions on vectors of sixteen lanes, which the kernels of every instruction set use.

/// Loads sixteen floats from `pointer + index`, at any alignment.
@inline(__always)
func load16(_ pointer: UnsafePointer<Float>, _ index: Int) -> SIMD16<Float> {
    UnsafeRawPointer(pointer + index).loadUnaligned(as: SIMD16<Float>.self)
}

/// Stores sixteen floats at `pointer + index`, at any alignment.
@inline(__always)
func store16(_ value: SIMD16<Float>, _ pointer: UnsafeMutablePointer<Float>, _ index: Int) {
    UnsafeMutableRawPointer(pointer + index).storeBytes(of: value, as: SIMD16<Float>.self)
}

/// Loads the first `count` lanes. The others are zero.
@inline(__always)
func load(_ pointer: UnsafePointer<Float>, _ index: Int, count: Int) -> SIMD16<Float> {
    if count >= 16 { return load16(pointer, index) }
    var value = SIMD16<Float>.zero
    var lane = 0
    while lane < count {
        value[lane] = pointer[index + lane]
        lane += 1
    }
    return value
}

/// Stores the first `count` lanes.
@inline(__always)
func store(_ value: SIMD16<Float>, _ pointer: UnsafeMutablePointer<Float>, _ index: Int, count: Int) {
    if count >= 16 { return store16(value, pointer, index) }
    var lane = 0
    while lane < count {
        pointer[index + lane] = value[lane]
        lane += 1
    }
}

/// Returns the sum of the lanes, always added in the same tree.
@inline(__always)
func sum(_ value: SIMD16<Float>) -> Float {
    let eight = value.lowHalf + value.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}

/// Returns the largest lane, for CPUs without an instruction for it.
@inline(__always)
func largestLaneByHalves(_ value: SIMD16<Float>) -> Float {
    let eight = value.lowHalf.replacing(with: value.highHalf, where: value.highHalf .> value.lowHalf)
    let four = eight.lowHalf.replacing(with: eight.highHalf, where: eight.highHalf .> eight.lowHalf)
    let two = four.lowHalf.replacing(with: four.highHalf, where: four.highHalf .> four.lowHalf)
    return two[1] > two[0] ? two[1] : two[0]
}
