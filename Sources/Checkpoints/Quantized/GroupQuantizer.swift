import KernelInterface

/// Quantizes a matrix of floating point numbers in groups of columns, row by row while it is read.
///
/// The scale of a group is the one with the least squared error among some candidates, the first among equals: in `int4` the
/// largest magnitude / (6.5 + i / 4) for i in 0 ... 14, in E2M1 the largest magnitude / (4 + i / 2) for i in 0 ... 6, rounded
/// to the type of the scale. In `int8` there is one, the largest magnitude / 127.
///
/// All elements must be finite.
final class GroupQuantizer: QuantizedReader {
    let format: QuantizedFormat
    private let source: LinearWeight
    /// The factor of all rows: in NVFP4 the largest code times the largest scale / the largest magnitude of the matrix.
    private let factor: Float

    /// - Parameters:
    ///   - weight: not quantized, or in FP8.
    ///   - format: `int4` or `int8` in groups, or NVFP4 with a factor that divides.
    ///   - pool: threads that look for the largest magnitude, if the format needs it; `nil`: only the calling thread.
    init(_ weight: LinearWeight, to format: QuantizedFormat, pool: (any ParallelExecutor)?) {
        self.format = format
        source = weight
        // A matrix of zeros needs some factor, and one of tiny numbers needs a finite one.
        factor =
            format.rowFactor == .divided
            ? 6 * Float8.largest / max(weight.largestMagnitude(pool: pool), 0x1p-100) : 1
    }

    func read(_ rows: Range<Int>, into target: QuantizedRows) {
        let (columns, width) = (source.columns, format.groupColumns)
        // Zeros complete the last group, whose codes in the target are padded too.
        let padded = (columns + width - 1) / width * width
        withUnsafeTemporaryAllocation(of: Float.self, capacity: padded) { buffer in
            buffer.initialize(repeating: 0)
            guard let numbers = buffer.baseAddress else { return }
            for row in rows {
                source.copyRow(row, into: numbers)
                let place = QuantizedRow(target, row)
                place.factor.pointee = factor
                var start = 0
                while start < columns {
                    quantize(numbers + start, place, start / width)
                    start += width
                }
            }
        }
    }

    private func quantize(_ numbers: UnsafePointer<Float>, _ place: QuantizedRow, _ group: Int) {
        let width = format.groupColumns
        var magnitudes = SIMD16<Float>.zero
        for i in stride(from: 0, to: width, by: 16) {
            magnitudes = pointwiseMax(magnitudes, magnitude(load(numbers + i)))
        }
        let largest = magnitudes.max()
        let codes = place.codes + group * width
        switch format.codes {
        case .int8:
            let scale =
                largest == 0 ? 1 : min(max(Float16(largest / 127), .leastNonzeroMagnitude), .greatestFiniteMagnitude)
            place.scales.storeBytes(of: scale.bitPattern, toByteOffset: group * 2, as: UInt16.self)
            storeIntegers(numbers, Float(scale), -127, 127, offset: 128, codes)
        case .e2m1:
            let scale = scaleCode(numbers, largest)
            place.scales.storeBytes(of: scale, toByteOffset: group, as: UInt8.self)
            storeFloats(numbers, Float8.decode(scale) / factor, codes)
        default:
            let scale = bfloat16Scale(numbers, largest)
            place.scales.storeBytes(of: UInt16(scale.bitPattern >> 16), toByteOffset: group * 2, as: UInt16.self)
            storeIntegers(numbers, scale, -8, 7, offset: 8, codes)
        }
    }

    // MARK: Integers

    /// The best scale for -8 ... 7.
    private func bfloat16Scale(_ numbers: UnsafePointer<Float>, _ largest: Float) -> Float {
        guard largest > 0 else { return 1 }
        var (best, least) = (Float(1), Float.infinity)
        for candidate in 0..<15 {
            let scale = max(
                FloatConversion.bfloat16(FloatConversion.bfloat16Bits(largest / (6.5 + 0.25 * Float(candidate)))),
                .leastNormalMagnitude)
            var errors = SIMD16<Float>.zero
            for i in stride(from: 0, to: format.groupColumns, by: 16) {
                let number = load(numbers + i)
                let error = number - rounded(number * (1 / scale), -8, 7) * scale
                errors += error * error
            }
            let error = errors.sum()
            if error < least { (best, least) = (scale, error) }
        }
        return best
    }

    private func storeIntegers(
        _ numbers: UnsafePointer<Float>, _ scale: Float, _ smallest: Float, _ largest: Float, offset: Float,
        _ codes: UnsafeMutablePointer<UInt8>
    ) {
        for i in stride(from: 0, to: format.groupColumns, by: 16) {
            // The sum has the code in its lowest bits.
            let sums = rounded(load(numbers + i) * (1 / scale), smallest, largest) + (offset + Self.rounder)
            let bits = unsafeBitCast(sums, to: SIMD16<UInt32>.self)
            for lane in 0..<16 { codes[i + lane] = UInt8(truncatingIfNeeded: bits[lane]) }
        }
    }

    /// 1.5 * 2^23: a sum of it and a number of at most 2^22 is rounded to an integer, ties to even.
    private static let rounder: Float = 12_582_912

    @inline(__always)
    private func rounded(_ numbers: SIMD16<Float>, _ smallest: Float, _ largest: Float) -> SIMD16<Float> {
        let integers = (numbers + Self.rounder) - Self.rounder
        // Not `clamped`, which computes lane by lane.
        let (lower, upper) = (SIMD16<Float>(repeating: smallest), SIMD16<Float>(repeating: largest))
        let above = integers.replacing(with: upper, where: integers .> upper)
        return above.replacing(with: lower, where: above .< lower)
    }

    // MARK: E2M1

    /// The best scale of a group of 16, in E4M3FN.
    private func scaleCode(_ numbers: UnsafePointer<Float>, _ largest: Float) -> UInt8 {
        let number = load(numbers)
        var (best, least) = (UInt8(0), Float.infinity)
        for candidate in 0..<7 {
            let code = Float8.encode(largest / (4 + 0.5 * Float(candidate)) * factor)
            let scale = Float8.decode(code) / factor
            let error = number - floats(number, scale).values * scale
            let sum = (error * error).sum()
            if sum < least { (best, least) = (code, sum) }
        }
        return best
    }

    private func storeFloats(_ numbers: UnsafePointer<Float>, _ scale: Float, _ codes: UnsafeMutablePointer<UInt8>) {
        let number = load(numbers)
        let result = floats(number, scale).codes
        for lane in 0..<16 {
            codes[lane] = UInt8(truncatingIfNeeded: result[lane]) | (number[lane] < 0 ? 8 : 0)
        }
    }

    /// The nearest number in E2M1 to each of `numbers` / `scale`, ties to the even code, and its code without the sign.
    @inline(__always)
    private func floats(_ numbers: SIMD16<Float>, _ scale: Float) -> (values: SIMD16<Float>, codes: SIMD16<Int32>) {
        let quotients = scale > 0 ? magnitude(numbers) * (1 / scale) : .zero
        var values = SIMD16<Float>.zero
        var codes = SIMD16<Int32>.zero
        func step(_ isAbove: SIMDMask<SIMD16<Int32>>, _ size: Float) {
            values += SIMD16<Float>.zero.replacing(with: size, where: isAbove)
            codes &+= SIMD16<Int32>.zero.replacing(with: 1, where: isAbove)
        }
        step(quotients .> 0.25, 0.5)
        step(quotients .>= 0.75, 0.5)
        step(quotients .> 1.25, 0.5)
        step(quotients .>= 1.75, 0.5)
        step(quotients .> 2.5, 1)
        step(quotients .>= 3.5, 1)
        step(quotients .> 5, 2)
        return (values.replacing(with: -values, where: numbers .< 0), codes)
    }

    // MARK: Vectors

    @inline(__always)
    private func load(_ numbers: UnsafePointer<Float>) -> SIMD16<Float> {
        UnsafeRawPointer(numbers).loadUnaligned(as: SIMD16<Float>.self)
    }

    @inline(__always)
    private func magnitude(_ numbers: SIMD16<Float>) -> SIMD16<Float> {
        let bits = unsafeBitCast(numbers, to: SIMD16<UInt32>.self) & 0x7FFF_FFFF
        return unsafeBitCast(bits, to: SIMD16<Float>.self)
    }
}
