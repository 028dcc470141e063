import Foundation
import KernelInterface
import PortableKernels
import TestSupport
import Testing

@testable import Checkpoints

struct GroupQuantizerTests {
    private static let rows = 19
    private static let columns = 160

    private static let int4 = QuantizedFormat.grouped(.int4, groupColumns: 32, scales: .bfloat16)
    private static let int8 = QuantizedFormat.grouped(.int8, groupColumns: 32, scales: .float16)

    @Test(
        arguments: [
            (int4, 0.10), (.grouped(.int4, groupColumns: 128, scales: .bfloat16), 0.11), (int8, 0.006),
            (.nvfp4(.divided), 0.10),
        ] as [(QuantizedFormat, Double)])
    func `the error of normal numbers is that of the format`(format: QuantizedFormat, bound: Double) {
        let values = Self.normalNumbers
        let got = Self.quantized(values, format)
        let error = zip(values, got).reduce(0) { $0 + pow(Double($1.0 - $1.1), 2) }
        let relative = sqrt(error / values.reduce(0) { $0 + pow(Double($1), 2) })
        #expect(relative < bound && relative > bound / 2, "\(relative)")
    }

    @Test(arguments: [(0, 1), (3, 13), (18, 159)])
    func `no other scale of int4 has a smaller error in its group`(row: Int, column: Int) {
        let values = Self.normalNumbers
        let got = Self.quantized(values, Self.int4)
        let group = row * Self.columns + column / 32 * 32..<row * Self.columns + column / 32 * 32 + 32
        let numbers = values[group].map(Double.init)
        func error(_ approximations: [Double]) -> Double {
            zip(numbers, approximations).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        let largest = numbers.map(abs).max() ?? 0
        for candidate in 0..<15 {
            let exact = Float(largest / (6.5 + 0.25 * Double(candidate)))
            let scale = Double(
                Float(bitPattern: (exact.bitPattern + 0x7FFF + (exact.bitPattern >> 16 & 1)) & 0xFFFF_0000))
            let other = numbers.map { min(max(($0 / scale).rounded(.toNearestOrEven), -8), 7) * scale }
            #expect(error(got[group].map(Double.init)) <= error(other) * 1.00001)
        }
    }

    @Test func `numbers that a format has are exact`() {
        let codes: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.5, -1, -1.5, -2, -3, -4, -6, 6]
        // The largest of the matrix is 6 * 448 / 2688 of it.
        let indices = Array(0..<Self.rows * Self.columns)
        let values = indices.map { (index: Int) -> Float in codes[index % 16] / 6 * 4 }
        #expect(Self.quantized(values, .nvfp4(.divided)).elementsEqual(values) { abs($0 - $1) < 1e-6 })
        let integers = indices.map { (index: Int) -> Float in Float((index * 7 + index / 32) % 15 - 7) / 16 }
        // Each group of 32 columns has -7 or 7, so that the scale 2^-4 is a candidate.
        #expect(Self.quantized(integers, Self.int4) == integers)
        let bytes = indices.map { (index: Int) -> Float in index % 32 == 5 ? 127 : Float(index % 255 - 127) }
        #expect(Self.quantized(bytes, Self.int8) == bytes)
    }

    @Test(arguments: [int4, int8, .nvfp4(.divided)])
    func `zeros and tiny and huge numbers stay finite`(format: QuantizedFormat) {
        for value in [0, 1e-38, 1e-30, 1e30] as [Float] {
            let values = (0..<Self.rows * Self.columns).map { (index: Int) -> Float in
                index % 3 == 0 ? -value : index % 5 == 0 ? 0 : value
            }
            let got = Self.quantized(values, format)
            #expect(got.allSatisfy { $0.isFinite && $0.magnitude <= value * 1.2 }, "\(value)")
        }
    }

    @Test func `a last group may be shorter`() {
        let values = Array(Self.normalNumbers.prefix(3 * 40))
        let got = Self.quantized(values, Self.int8, rows: 3, columns: 40)
        #expect(zip(values, got).allSatisfy { abs($0 - $1) < 0.02 })
    }

    @Test func `every format of floats, and FP8, is read by its values`() {
        // Multiples of 1/16 up to 4 with at most four bits are exact in each.
        let values = (0..<64).map { Float([1, -3, 6, 0, 13, -15, 8, 2][$0 % 8]) / 16 }
        let expected = Self.quantized(values, Self.int8, rows: 2, columns: 32)
        let grid = ScaleGrid(blockRows: 2, blockColumns: 32, gridColumns: 1, values: [0.5])
        let codes = values.map { Float8.encode($0 * 2) }
        let halves = values.map { Float16($0).bitPattern }
        let brains = values.map { UInt16($0.bitPattern >> 16) }
        let others = [
            halves.withUnsafeBytes { Self.weight($0, .float16, rows: 2, columns: 32) },
            brains.withUnsafeBytes { Self.weight($0, .bfloat16, rows: 2, columns: 32) },
            codes.withUnsafeBytes { Self.weight($0, .float8(grid), rows: 2, columns: 32) },
        ]
        for weight in others { #expect(Self.quantized(weight, Self.int8) == expected) }
    }

    private static let normalNumbers: [Float] = {
        var random = SeededGenerator(seed: 5)
        return (0..<rows * columns).map { _ in
            let (u, v) = (Float.random(in: 1e-6..<1, using: &random), Float.random(in: 0..<1, using: &random))
            return 0.02 * (-2 * log(u)).squareRoot() * cos(2 * .pi * v)
        }
    }()

    private static func quantized(
        _ values: [Float], _ format: QuantizedFormat, rows: Int = rows, columns: Int = columns
    ) -> [Float] {
        quantized(values.withUnsafeBytes { weight($0, .float32, rows: rows, columns: columns) }, format)
    }

    private static func quantized(_ weight: LinearWeight, _ format: QuantizedFormat) -> [Float] {
        let reader = GroupQuantizer(weight, to: format, pool: nil, family: Portable.self)
        let target = QuantizedRows.allocate(format, columns: weight.columns)
        defer { target.deallocate() }
        var values: [Float] = []
        for first in stride(from: 0, to: weight.rows, by: 16) {
            let rows = first..<min(first + 16, weight.rows)
            reader.read(rows, into: target)
            for row in rows {
                values += (0..<weight.columns).map { target.value(row: row - first, column: $0) }
            }
        }
        return values
    }

    private static func weight(
        _ bytes: UnsafeRawBufferPointer, _ format: LinearWeight.Format, rows: Int, columns: Int
    ) -> LinearWeight {
        let copy = OwnedBytes(count: bytes.count)
        copy.bytes.copyMemory(from: bytes)
        return LinearWeight(
            rows: rows, columns: columns, format: format, bytes: UnsafeRawBufferPointer(copy.bytes), owner: copy)
    }
}
