// Sixteen lanes at a time: what kernels of every instruction set are written with. A module of its own, because only
// the bodies of another module's inlinable functions are inlined in debug builds, where each file is compiled by
// itself.

/// Sixteen floats from `pointer + index`, at any alignment.
@inlinable @inline(__always)
public func load16(_ pointer: UnsafePointer<Float>, _ index: Int) -> SIMD16<Float> {
    UnsafeRawPointer(pointer + index).loadUnaligned(as: SIMD16<Float>.self)
}

/// Stores sixteen floats at `pointer + index`, at any alignment.
@inlinable @inline(__always)
public func store16(_ value: SIMD16<Float>, _ pointer: UnsafeMutablePointer<Float>, _ index: Int) {
    UnsafeMutableRawPointer(pointer + index).storeBytes(of: value, as: SIMD16<Float>.self)
}

/// The first `count` lanes from memory, the others zero.
@inlinable @inline(__always)
public func load(_ pointer: UnsafePointer<Float>, _ index: Int, count: Int) -> SIMD16<Float> {
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
@inlinable @inline(__always)
public func store(_ value: SIMD16<Float>, _ pointer: UnsafeMutablePointer<Float>, _ index: Int, count: Int) {
    if count >= 16 { return store16(value, pointer, index) }
    var lane = 0
    while lane < count {
        pointer[index + lane] = value[lane]
        lane += 1
    }
}

/// The sum of the lanes, always as the same tree.
@inlinable @inline(__always)
public func sum(_ value: SIMD16<Float>) -> Float {
    let eight = value.lowHalf + value.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}

/// The largest lane.
@inlinable @inline(__always)
public func largest(_ value: SIMD16<Float>) -> Float {
    var result = value[0]
    var lane = 1
    while lane < 16 {
        if value[lane] > result { result = value[lane] }
        lane += 1
    }
    return result
}

/// Sixteen bfloat16 numbers from memory. In quarters, which are inlined; the conversion of 16 lanes is a call.
@inlinable @inline(__always)
public func bfloat16Lanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let low = SIMD8<Float>(lowHalf: bfloat16Quarter(pointer), highHalf: bfloat16Quarter(pointer + 8))
    let high = SIMD8<Float>(lowHalf: bfloat16Quarter(pointer + 16), highHalf: bfloat16Quarter(pointer + 24))
    return SIMD16<Float>(lowHalf: low, highHalf: high)
}

/// Four bfloat16 numbers from memory.
@inlinable @inline(__always)
public func bfloat16Quarter(_ pointer: UnsafeRawPointer) -> SIMD4<Float> {
    let bits = SIMD4<UInt32>(truncatingIfNeeded: pointer.loadUnaligned(as: SIMD4<UInt16>.self)) &<< 16
    return unsafeBitCast(bits, to: SIMD4<Float>.self)
}
