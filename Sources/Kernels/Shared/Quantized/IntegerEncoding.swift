import KernelInterface

extension Kernels {
    /// Implements the requirement of `KernelFamily`, sixteen columns at a time.
    public static func encode(
        source: UnsafePointer<Float>, segments: Range<Int>, layout: IntegerRowLayout, target: UnsafeMutableRawPointer
    ) {
        var segment = segments.lowerBound
        while segment < segments.upperBound {
            let row = IntegerSegment(layout: layout, segment: segment, target: target)
            switch layout.terms {
            case 1: row.encode(source, InlineArray<1, Bool>(repeating: false))
            case 2: row.encode(source, InlineArray<2, Bool>(repeating: false))
            default: row.encode(source, InlineArray<3, Bool>(repeating: false))
            }
            segment += 1
        }
    }
}

/// A segment: 128 columns of an encoded row. The last columns may be beyond the matrix.
private struct IntegerSegment {
    let layout: IntegerRowLayout
    let segment: Int
    let target: UnsafeMutableRawPointer

    @inline(__always)
    func encode<let terms: Int>(_ source: UnsafePointer<Float>, _ bytes: InlineArray<terms, Bool>) {
        let columns = layout.columns - segment * 128
        let source = source + segment * 128
        let largest = largestMagnitude(source, columns)
        let limit: Float = terms == 1 ? 127 : terms == 2 ? 32512 : 8_323_072
        let isZero = largest < 0x1p-100
        let scale = isZero ? 0 : largest < .infinity ? largest / limit : .nan
        (target + layout.scalesOffset + segment * 4).storeBytes(of: scale, as: Float.self)
        // A product with a NaN scale is NaN for any integers.
        let divisor = SIMD16<Float>(repeating: scale)
        let sums = target + layout.sumsOffset + segment * 64
        let upperSums = sums + layout.sumsBytes
        var part = 0
        while part < 8 {
            let values = load(source, part * 16, count: columns - part * 16)
            var rest = integers(scale > 0 ? values / divisor : .zero)
            let place = target + segment * 128 + part * 16
            var low = SIMD16<Int32>.zero
            var term = 0
            while term < terms {
                let byte = (rest &<< 24) &>> 24
                storeLowBytes(byte, place + term * layout.termBytes)
                if term < 2 { low = low &+ byte &<< Int32(truncatingIfNeeded: term * 8) }
                rest = (rest &- byte) &>> 8
                if term == 2 { store(sum(byte), upperSums, part) }
                term += 1
            }
            store(sum(low), sums, part)
            part += 1
        }
        addSums(sums)
        if terms == 3 { addSums(upperSums) }
    }

    /// Returns the largest magnitude. The bits of the floats are compared, of which those of NaN are the largest, so that a NaN is
    /// found.
    @inline(__always)
    private func largestMagnitude(_ source: UnsafePointer<Float>, _ columns: Int) -> Float {
        var largest = SIMD16<Int32>.zero
        var column = 0
        while column < 128 && column < columns {
            let bits = unsafeBitCast(load(source, column, count: columns - column), to: SIMD16<Int32>.self)
            let magnitude = bits & 0x7fff_ffff
            largest = largest.replacing(with: magnitude, where: magnitude .> largest)
            column += 16
        }
        let eight = larger(largest.lowHalf, largest.highHalf)
        let four = larger(eight.lowHalf, eight.highHalf)
        let two = larger(four.lowHalf, four.highHalf)
        return Float(bitPattern: UInt32(truncatingIfNeeded: two[0] > two[1] ? two[0] : two[1]))
    }

    /// Rounds to the nearest integer, ties to even. The sum of a number below 2^23 and 2^23 has the integer in its fraction.
    @inline(__always)
    private func integers(_ values: SIMD16<Float>) -> SIMD16<Int32> {
        let bits = unsafeBitCast(values, to: SIMD16<Int32>.self)
        let magnitude = unsafeBitCast(bits & 0x7fff_ffff, to: SIMD16<Float>.self) + 0x1p23
        let integer = unsafeBitCast(magnitude, to: SIMD16<Int32>.self) &- 0x4b00_0000
        let sign = bits &>> 31
        return (integer ^ sign) &- sign
    }

    @inline(__always)
    private func store(_ sum: Int32, _ sums: UnsafeMutableRawPointer, _ index: Int) {
        sums.storeBytes(of: sum, toByteOffset: index * 4, as: Int32.self)
    }

    /// Computes the sums of 32, 64 and 128 columns from those of 16.
    @inline(__always)
    private func addSums(_ sums: UnsafeMutableRawPointer) {
        var from = 0
        var index = 8
        while index < 15 {
            let pair = (sums + from * 4).loadUnaligned(as: SIMD2<Int32>.self)
            store(pair[0] &+ pair[1], sums, index)
            from += 2
            index += 1
        }
        store(0, sums, 15)
    }

    @inline(__always)
    private func sum(_ value: SIMD16<Int32>) -> Int32 {
        let eight = value.lowHalf &+ value.highHalf
        let four = eight.lowHalf &+ eight.highHalf
        let two = four.lowHalf &+ four.highHalf
        return two[0] &+ two[1]
    }
}

@inline(__always)
private func larger(_ a: SIMD8<Int32>, _ b: SIMD8<Int32>) -> SIMD8<Int32> { a.replacing(with: b, where: b .> a) }

@inline(__always)
private func larger(_ a: SIMD4<Int32>, _ b: SIMD4<Int32>) -> SIMD4<Int32> { a.replacing(with: b, where: b .> a) }

@inline(__always)
private func larger(_ a: SIMD2<Int32>, _ b: SIMD2<Int32>) -> SIMD2<Int32> { a.replacing(with: b, where: b .> a) }
