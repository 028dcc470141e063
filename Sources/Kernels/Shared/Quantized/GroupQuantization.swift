import KernelInterface

// Quantizes rows in groups of columns. The scale of a group is the candidate with the least squared error, the first among equals.
// Sixteen rows are in the lanes of a vector while candidates are compared, so that no sum crosses lanes. Every family adds the
// errors in this order and without fused operations:
//
//     of each column c in 0 ..< 16:  s = (x[c] - value)^2 + (x[c + 16] - value)^2 + ...
//     total = s of column 0 + s of column 1 + ...

extension Kernels {
    /// Implements the requirement of `KernelFamily`.
    public static func quantize(_ numbers: UnsafePointer<Float>, stride: Int, into rows: QuantizedRows) {
        var memory = InlineArray<128, SIMD16<Float>>(repeating: .zero)
        withUnsafeMutableBytes(of: &memory) { memory in
            guard let base = memory.baseAddress else { return }
            let columns = RowLanes(base.assumingMemoryBound(to: SIMD16<Float>.self), rows.format.groupColumns)
            var group = 0
            while group * columns.count < rows.columns {
                let source = numbers + group * columns.count
                let largest = columns.load(source, stride, magnitudes: rows.format.codes == .e2m1)
                let codes = rows.codes + group * columns.count
                switch rows.format.codes {
                case .int8: quantizeBytes(source, stride, largest, rows, group, codes)
                case .e2m1: quantizeFloats(source, stride, largest, columns, rows, group, codes)
                default: quantizeNibbles(source, stride, largest, columns, rows, group, codes)
                }
                group += 1
            }
        }
    }

    // MARK: Integers

    /// Quantizes a group to `int8`. There is one candidate: the largest magnitude / 127, in float16.
    @inline(__always)
    private static func quantizeBytes(
        _ source: UnsafePointer<Float>, _ stride: Int, _ largest: SIMD16<Float>, _ rows: QuantizedRows, _ group: Int,
        _ codes: UnsafeMutablePointer<UInt8>
    ) {
        var row = 0
        while row < 16 {
            var scale = Float16(largest[row] / 127)
            if scale < .leastNonzeroMagnitude { scale = .leastNonzeroMagnitude }
            if scale > .greatestFiniteMagnitude { scale = .greatestFiniteMagnitude }
            if largest[row] == 0 { scale = 1 }
            (rows.scales + (row * rows.groupStride + group) * 2).storeBytes(of: scale.bitPattern, as: UInt16.self)
            storeIntegers(
                source + row * stride, rows.format.groupColumns, Float(scale), -127, 127, 128,
                codes + row * rows.codeStride)
            row += 1
        }
    }

    /// Quantizes a group to `int4`. There are fifteen candidates: the largest magnitude / (6.5 + i / 4), in bfloat16.
    @inline(__always)
    private static func quantizeNibbles(
        _ source: UnsafePointer<Float>, _ stride: Int, _ largest: SIMD16<Float>, _ columns: RowLanes,
        _ rows: QuantizedRows, _ group: Int, _ codes: UnsafeMutablePointer<UInt8>
    ) {
        var best = SIMD16<Float>(repeating: 1)
        var least = SIMD16<Float>(repeating: .infinity)
        let smallest = SIMD16<Float>(repeating: .leastNormalMagnitude)
        var divisor: Float = 6.5
        while divisor <= 10 {
            let scale = larger(bfloat16Rounded(largest / SIMD16(repeating: divisor)), smallest)
            let inverse = SIMD16<Float>(repeating: 1) / scale
            let error = columns.squaredError { rounded($0 * inverse, -8, 7) * scale }
            let isLess = error .< least
            best = best.replacing(with: scale, where: isLess)
            least = least.replacing(with: error, where: isLess)
            divisor += 0.25
        }
        best = best.replacing(with: SIMD16(repeating: 1), where: largest .== SIMD16<Float>.zero)
        var row = 0
        while row < 16 {
            let bits = UInt16(truncatingIfNeeded: best[row].bitPattern &>> 16)
            (rows.scales + (row * rows.groupStride + group) * 2).storeBytes(of: bits, as: UInt16.self)
            storeIntegers(
                source + row * stride, columns.count, best[row], -8, 7, 8, codes + row * rows.codeStride)
            row += 1
        }
    }

    @inline(__always)
    private static func storeIntegers(
        _ numbers: UnsafePointer<Float>, _ count: Int, _ scale: Float, _ smallest: Float, _ largest: Float,
        _ offset: Float, _ codes: UnsafeMutablePointer<UInt8>
    ) {
        let inverse = SIMD16<Float>(repeating: 1 / scale)
        var column = 0
        while column < count {
            // The lowest bits of the sum are the code.
            let sums =
                rounded(load16(numbers, column) * inverse, smallest, largest)
                + SIMD16<Float>(repeating: offset + rounder)
            storeLowBytes(unsafeBitCast(sums, to: SIMD16<Int32>.self), codes + column)
            column += 16
        }
    }

    /// 1.5 * 2^23. The sum of it and a number of at most 2^22 is rounded to an integer, ties to even.
    @inline(__always)
    private static var rounder: Float { 12_582_912 }

    @inline(__always)
    private static func rounded(_ numbers: SIMD16<Float>, _ smallest: Float, _ largest: Float) -> SIMD16<Float> {
        let rounder = SIMD16<Float>(repeating: rounder)
        let integers = (numbers + rounder) - rounder
        return larger(smaller(integers, SIMD16(repeating: largest)), SIMD16(repeating: smallest))
    }

    /// Returns the nearest bfloat16, ties to even. Not for NaN.
    @inline(__always)
    private static func bfloat16Rounded(_ numbers: SIMD16<Float>) -> SIMD16<Float> {
        let bits = unsafeBitCast(numbers, to: SIMD16<UInt32>.self)
        let odd = bits &>> 16 & 1
        return unsafeBitCast((bits &+ 0x7fff &+ odd) & 0xffff_0000, to: SIMD16<Float>.self)
    }

    // MARK: E2M1

    /// Quantizes a group to E2M1. There are seven candidates: the largest magnitude / (4 + i / 2) times the row factor, in E4M3FN.
    @inline(__always)
    private static func quantizeFloats(
        _ source: UnsafePointer<Float>, _ stride: Int, _ largest: SIMD16<Float>, _ columns: RowLanes,
        _ rows: QuantizedRows, _ group: Int, _ codes: UnsafeMutablePointer<UInt8>
    ) {
        let factors = load16(rows.rowFactors, 0)
        var best = SIMD16<UInt32>.zero
        var least = SIMD16<Float>(repeating: .infinity)
        var divisor: Float = 4
        while divisor <= 7 {
            let code = float8Codes(largest / SIMD16(repeating: divisor) * factors)
            let scale = float8Values(code) / factors
            let inverse = inverseOrZero(scale)
            let error = columns.squaredError { e2m1Rounded($0 * inverse) * scale }
            let isLess = error .< least
            best.replace(with: code, where: isLess)
            least = least.replacing(with: error, where: isLess)
            divisor += 0.5
        }
        let inverses = inverseOrZero(float8Values(best) / factors)
        var row = 0
        while row < 16 {
            (rows.scales + row * rows.groupStride + group).storeBytes(
                of: UInt8(truncatingIfNeeded: best[row]), as: UInt8.self)
            let numbers = load16(source + row * stride, 0)
            let signs = SIMD16<Int32>.zero.replacing(with: 8, where: numbers .< SIMD16<Float>.zero)
            let code = e2m1Codes(e2m1Rounded(absolute(numbers) * SIMD16(repeating: inverses[row])))
            storeLowBytes(code | signs, codes + row * rows.codeStride)
            row += 1
        }
    }

    @inline(__always)
    private static func inverseOrZero(_ scale: SIMD16<Float>) -> SIMD16<Float> {
        (SIMD16<Float>(repeating: 1) / scale).replacing(with: SIMD16<Float>.zero, where: scale .<= SIMD16<Float>.zero)
    }

    /// Returns the nearest E2M1 number to each non-negative quotient, ties to the even code.
    @inline(__always)
    private static func e2m1Rounded(_ quotients: SIMD16<Float>) -> SIMD16<Float> {
        let quotients = smaller(quotients, SIMD16(repeating: 6))
        // Below 2, the numbers are multiples of 1/2, then of 1 up to 4, and then of 2. A sum with 2^23 such units is rounded to
        // one.
        let powers = unsafeBitCast(larger(quotients, SIMD16(repeating: 1)), to: SIMD16<UInt32>.self) & 0x7f80_0000
        let rounder = unsafeBitCast(powers &+ 0x0b00_0000, to: SIMD16<Float>.self)
        return (quotients + rounder) - rounder
    }

    /// Returns the codes of non-negative E2M1 numbers.
    @inline(__always)
    private static func e2m1Codes(_ numbers: SIMD16<Float>) -> SIMD16<Int32> {
        // From 1 on, a code is the exponent and the first fraction bit of float32, minus the difference of the biases.
        let codes = unsafeBitCast(numbers, to: SIMD16<Int32>.self) &>> 22 &- 252
        let small = SIMD16<Int32>.zero.replacing(with: 1, where: numbers .> SIMD16<Float>.zero)
        return small.replacing(with: codes, where: codes .> small)
    }

    /// Returns the codes of ``float8Code(_:)`` for non-negative numbers.
    @inline(__always)
    private static func float8Codes(_ numbers: SIMD16<Float>) -> SIMD16<UInt32> {
        let bits = unsafeBitCast(numbers, to: SIMD16<UInt32>.self)
        let odd = bits &>> 20 & 1
        let normal = (bits &+ 0x7ffff &+ odd) &>> 20 &- 960
        let small = unsafeBitCast(numbers + SIMD16<Float>(repeating: 0x1p14), to: SIMD16<UInt32>.self) & 0xff
        let codes = normal.replacing(with: small, where: bits .< 0x3c80_0000)
        return codes.replacing(with: 0x7e, where: bits .>= 0x43e0_0000)
    }

    /// Returns the values of non-negative E4M3FN codes. With exponent and fraction at their float32 positions, a number is the
    /// value times 2^-120.
    @inline(__always)
    private static func float8Values(_ codes: SIMD16<UInt32>) -> SIMD16<Float> {
        unsafeBitCast(codes &<< 20, to: SIMD16<Float>.self) * SIMD16<Float>(repeating: 0x1p120)
    }
}

/// The columns of a group, with sixteen rows in the lanes of each column.
private struct RowLanes {
    private let columns: UnsafeMutablePointer<SIMD16<Float>>
    let count: Int

    @inline(__always)
    init(_ columns: UnsafeMutablePointer<SIMD16<Float>>, _ count: Int) {
        self.columns = columns
        self.count = count
    }

    /// Loads the columns, or their magnitudes, from rows that are `stride` apart.
    ///
    /// - Returns: The largest magnitude of each row.
    @inline(__always)
    func load(_ source: UnsafePointer<Float>, _ stride: Int, magnitudes: Bool) -> SIMD16<Float> {
        var largest = SIMD16<Float>.zero
        var column = 0
        while column < count {
            var lanes = SIMD16<Float>.zero
            var row = 0
            while row < 16 {
                lanes[row] = source[row * stride + column]
                row += 1
            }
            let magnitude = absolute(lanes)
            columns[column] = magnitudes ? magnitude : lanes
            largest = larger(largest, magnitude)
            column += 1
        }
        return largest
    }

    /// Returns the sum of the squared errors of each row, in the order that is described at the beginning of this file.
    @inline(__always)
    func squaredError(_ approximation: (SIMD16<Float>) -> SIMD16<Float>) -> SIMD16<Float> {
        var total = SIMD16<Float>.zero
        var first = 0
        while first < 16 {
            var sum = SIMD16<Float>.zero
            var column = first
            while column < count {
                let number = columns[column]
                let error = number - approximation(number)
                sum += error * error
                column += 16
            }
            total += sum
            first += 1
        }
        return total
    }
}

@inline(__always)
private func absolute(_ numbers: SIMD16<Float>) -> SIMD16<Float> {
    unsafeBitCast(unsafeBitCast(numbers, to: SIMD16<UInt32>.self) & 0x7fff_ffff, to: SIMD16<Float>.self)
}

/// Returns the smaller number of each lane.
@inline(__always)
private func smaller(_ a: SIMD16<Float>, _ b: SIMD16<Float>) -> SIMD16<Float> {
    a.replacing(with: b, where: b .< a)
}
