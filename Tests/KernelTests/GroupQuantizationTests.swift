import KernelInterface
import Testing

@testable import Checkpoints
@testable import Engine

/// Quantizing in groups of columns, compared with a scalar definition.
struct GroupQuantizationTests {
    private static let formats: [QuantizedFormat] = [
        .grouped(.int4, groupColumns: 32, scales: .bfloat16), .grouped(.int4, groupColumns: 64, scales: .bfloat16),
        .grouped(.int4, groupColumns: 128, scales: .bfloat16), .grouped(.int8, groupColumns: 32, scales: .float16),
        .nvfp4(.divided),
    ]

    @Test(arguments: formats, KernelSet.available.map { $0.table(.exact) })
    func `every family chooses the first scale with the least error, bit for bit`(
        format: QuantizedFormat, kernels: KernelTable
    ) throws {
        var random = RandomValues(seed: 8)
        let (columns, factor) = (300, Float(1234.5))
        let padded = (columns + format.groupColumns - 1) / format.groupColumns * format.groupColumns
        let stride = padded + 16
        for magnitude in [0.02, 1e-38, 1e-30, 3, 1e30] as [Float] {
            var numbers = [Float](repeating: 0, count: 16 * stride)
            for row in 0..<16 {
                for column in 0..<columns {
                    numbers[row * stride + column] = random.floats(1, in: -1...1)[0] * magnitude
                }
            }
            // A group of zeros, one of equal numbers, and one with a number that is far larger than the others.
            for column in 0..<128 { numbers[stride + column] = 0 }
            for column in 0..<128 { numbers[2 * stride + column] = -magnitude }
            numbers[3 * stride + 5] = magnitude * 40
            let rows = QuantizedRows.allocate(format, columns: columns)
            defer { rows.deallocate() }
            rows.rowFactors.update(repeating: factor, count: 16)
            kernels.family.quantize(numbers, stride: stride, into: rows)
            for row in 0..<16 {
                for group in 0..<padded / format.groupColumns {
                    let first = row * stride + group * format.groupColumns
                    let want = QuantizedGroup(Array(numbers[first..<first + format.groupColumns]), format, factor)
                    let place = row * rows.groupStride + group
                    let scale =
                        format.scales == .float8
                        ? UInt16(rows.scales.load(fromByteOffset: place, as: UInt8.self))
                        : rows.scales.load(fromByteOffset: place * 2, as: UInt16.self)
                    #expect(scale == want.scale, "row \(row), group \(group) of \(magnitude)")
                    let codes = (0..<format.groupColumns).map {
                        rows.codes[row * rows.codeStride + group * format.groupColumns + $0]
                    }
                    #expect(codes == want.codes, "row \(row), group \(group) of \(magnitude)")
                }
            }
        }
    }
}

/// A group, quantized number by number.
private struct QuantizedGroup {
    var scale: UInt16
    var codes: [UInt8]

    init(_ numbers: [Float], _ format: QuantizedFormat, _ factor: Float) {
        let largest = numbers.map(\.magnitude).max() ?? 0
        switch format.codes {
        case .int8:
            let scale = min(max(Float16(largest / 127), .leastNonzeroMagnitude), .greatestFiniteMagnitude)
            self.scale = (largest == 0 ? 1 : scale).bitPattern
            let inverse = 1 / Float(Float16(bitPattern: self.scale))
            codes = numbers.map { UInt8(Self.integer($0 * inverse, -127, 127) + 128) }
        case .e2m1:
            scale = Self.best((0..<7).map { UInt16(Float8.encode(largest / (4 + 0.5 * Float($0)) * factor)) }, 0) {
                let scale = Float8.decode(UInt8($0)) / factor
                return Self.error(numbers) { format.codes.value(Self.code($0, scale)) * scale }
            }
            let scale = Float8.decode(UInt8(self.scale)) / factor
            codes = numbers.map { Self.code($0, scale) }
        default:
            let candidates = (0..<15).map { candidate -> UInt16 in
                let bits = FloatConversion.bfloat16Bits(largest / (6.5 + 0.25 * Float(candidate)))
                return FloatConversion.bfloat16(bits) < .leastNormalMagnitude ? 0x0080 : bits
            }
            let best = Self.best(candidates, 0x3F80) {
                let scale = FloatConversion.bfloat16($0)
                return Self.error(numbers) { Self.integer($0 * (1 / scale), -8, 7) * scale }
            }
            scale = largest == 0 ? 0x3F80 : best
            let inverse = 1 / FloatConversion.bfloat16(scale)
            codes = numbers.map { UInt8(Self.integer($0 * inverse, -8, 7) + 8) }
        }
    }

    /// The first candidate with the least finite error.
    private static func best(_ candidates: [UInt16], _ initial: UInt16, _ error: (UInt16) -> Float) -> UInt16 {
        var (best, least) = (initial, Float.infinity)
        for candidate in candidates {
            let error = error(candidate)
            if error < least { (best, least) = (candidate, error) }
        }
        return best
    }

    private static func error(_ numbers: [Float], _ approximation: (Float) -> Float) -> Float {
        var total: Float = 0
        for first in 0..<16 {
            var sum: Float = 0
            for column in stride(from: first, to: numbers.count, by: 16) {
                let error = numbers[column] - approximation(numbers[column])
                sum += error * error
            }
            total += sum
        }
        return total
    }

    private static func integer(_ number: Float, _ smallest: Float, _ largest: Float) -> Float {
        min(max(number.rounded(.toNearestOrEven), smallest), largest)
    }

    private static func code(_ number: Float, _ scale: Float) -> UInt8 {
        let quotient = scale > 0 ? number.magnitude * (1 / scale) : 0
        let bounds: [Bool] = [
            quotient > 0.25, quotient >= 0.75, quotient > 1.25, quotient >= 1.75, quotient > 2.5, quotient >= 3.5,
            quotient > 5,
        ]
        return UInt8(bounds.count { $0 }) | (number < 0 ? 8 : 0)
    }
}
