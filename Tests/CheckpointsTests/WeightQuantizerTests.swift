import Foundation
import TestSupport
import Testing

@testable import Checkpoints

struct WeightQuantizerTests {
    /// Several blocks, with partial blocks in both directions.
    private static let rows = 200
    private static let columns = 300

    @Test func `each number is within half a step of its code under its block's scale`() throws {
        let values = Self.values
        let quantized = WeightQuantizer.quantize(Self.weight(values))
        let grid = try #require(Self.grid(of: quantized))
        #expect([grid.blockRows, grid.blockColumns, grid.gridColumns, grid.values.count] == [128, 128, 3, 6] as [Int])
        for row in 0..<Self.rows {
            for column in 0..<Self.columns {
                let scale = grid.values[row / 128 * 3 + column / 128]
                let value = values[row * Self.columns + column]
                let decoded = Float8.values[Int(quantized.bytes[row * Self.columns + column])] * scale
                // Four significant bits, or half the smallest step.
                if abs(decoded - value) > max(abs(value) / 16, scale * 0x1p-10) * 1.0001 {
                    Issue.record("(\(row), \(column)): \(value) became \(decoded)")
                    return
                }
            }
        }
    }

    @Test func `the largest number of each block has the largest code`() throws {
        let quantized = WeightQuantizer.quantize(Self.weight(Self.values))
        var largest = [UInt8](repeating: 0, count: 6)
        for index in 0..<Self.rows * Self.columns {
            let block = index / Self.columns / 128 * 3 + index % Self.columns / 128
            largest[block] = max(largest[block], quantized.bytes[index] & 0x7F)
        }
        #expect(largest == [UInt8](repeating: 0x7E, count: 6))
    }

    @Test func `a block of zeros stays zero`() throws {
        var values = Self.values
        for row in 0..<128 { for column in 128..<256 { values[row * Self.columns + column] = 0 } }
        let quantized = WeightQuantizer.quantize(Self.weight(values))
        #expect(try #require(Self.grid(of: quantized)).values[1] == 1)
        #expect(quantized.bytes[130] == 0)
        #expect(quantized.bytes[0] != 0)
    }

    @Test func `an element that is not finite becomes NaN and does not affect its block`() throws {
        for odd in [Float.nan, .infinity, -.infinity] {
            var values = Self.values
            values[5] = odd
            let quantized = WeightQuantizer.quantize(Self.weight(values))
            #expect(quantized.bytes[5] == 0x7F)
            #expect(try #require(Self.grid(of: quantized)).values.allSatisfy(\.isFinite))
        }
    }

    @Test func `all float formats give the same codes`() throws {
        // Multiples of 1/16 up to 4 are exact in each.
        let values = (0..<12).map { Float($0 * 5 % 13) / 16 - 0.25 }
        let expected = WeightQuantizer.quantize(Self.weight(values, rows: 3, columns: 4))
        let halves = values.map { Float16($0).bitPattern }
        let brains = values.map { UInt16($0.bitPattern >> 16) }
        for (format, bits) in [(.float16, halves), (.bfloat16, brains)] as [(LinearWeight.Format, [UInt16])] {
            let weight = bits.withUnsafeBytes { Self.weight(bytes: $0, format, rows: 3, columns: 4) }
            let quantized = WeightQuantizer.quantize(weight)
            #expect(quantized.bytes.elementsEqual(expected.bytes))
            #expect(Self.grid(of: quantized) == Self.grid(of: expected))
        }
    }

    @Test func `a checkpoint quantises its linear layers and head, and nothing else`() throws {
        let directory = Fixtures.root.appending(path: "model/e_bf16")
        let config = try ModelConfig(directory: directory)
        let checkpoint = try Checkpoint(
            directory: directory, config: config, quantization: nil, quantizing: .float8)
        let matrices = config.expectedTensors.filter { $0.role != .vector }
        #expect(matrices.count > 20)
        for tensor in matrices {
            let module = String(tensor.name.dropLast(".weight".count))
            let isSensitive = module == "model.embed_tokens" || module.hasSuffix("router.gate")
            #expect((Self.grid(of: checkpoint.linear(module)) == nil) == isSensitive, "\(module)")
        }
    }

    @Test func `FP8 weights stay as they are`() throws {
        let once = WeightQuantizer.quantize(Self.weight(Self.values))
        let twice = WeightQuantizer.quantize(once)
        #expect(twice.bytes.baseAddress == once.bytes.baseAddress)
    }

    private static let values: [Float] = {
        var random = SeededGenerator(seed: 3)
        return (0..<rows * columns).map { index in
            // The largest of its block is negative.
            if index == 7 { return -2 }
            let scale = pow(10, -3 * Float.random(in: 0..<1, using: &random))
            return Float.random(in: -0.5..<0.5, using: &random) * scale
        }
    }()

    private static func grid(of weight: LinearWeight) -> ScaleGrid? {
        if case .float8(let grid) = weight.format { grid } else { nil }
    }

    private static func weight(_ values: [Float], rows: Int = rows, columns: Int = columns) -> LinearWeight {
        values.withUnsafeBytes { weight(bytes: $0, .float32, rows: rows, columns: columns) }
    }

    private static func weight(
        bytes: UnsafeRawBufferPointer, _ format: LinearWeight.Format, rows: Int, columns: Int
    ) -> LinearWeight {
        let copy = OwnedBytes(count: bytes.count)
        copy.bytes.copyMemory(from: bytes)
        return LinearWeight(
            rows: rows, columns: columns, format: format, bytes: UnsafeRawBufferPointer(copy.bytes), owner: copy)
    }
}
