import Foundation
import KernelInterface
import TestSupport
import Testing

@testable import Checkpoints

/// Values of blocks of every type, equal to those of gguf-py bit for bit.
struct GGUFUnitTests {
    @Test(arguments: GGUFType.allCases.filter { $0.format != nil })
    func `every weight of a block has its exact value`(type: GGUFType) throws {
        let name = type.name.lowercased()
        let file = try MappedFile(Fixtures.root.appending(path: "low-bit/units/gguf/\(name).bin"))
        let expected = try floats("low-bit/units/gguf/\(name).f32")
        let columns = file.bytes.count / type.blockBytes * type.blockColumns
        #expect(expected.count == columns && columns > 0)
        let matrix = try #require(
            GGUFMatrix(type, rows: 1, columns: columns, MappedBytes(file.bytes, owner: file)))
        #expect(matrix.hasFiniteScales(pool: nil))
        #expect(matrix.values.map(\.bitPattern) == expected.map(\.bitPattern))
    }

    @Test(arguments: [(GGUFType.float16, TensorType.float16), (.bfloat16, .bfloat16)])
    func `wide elements have their exact value`(type: GGUFType, stored: TensorType) throws {
        let name = type.name.lowercased()
        let file = try MappedFile(Fixtures.root.appending(path: "low-bit/units/gguf/\(name).bin"))
        let values = try #require(FloatConversion.floats(file.bytes, type: stored))
        #expect(values.map(\.bitPattern) == (try floats("low-bit/units/gguf/\(name).f32")).map(\.bitPattern))
    }

    @Test(arguments: GGUFType.allCases.filter { $0.format != nil })
    func `a scale that is not finite is found`(type: GGUFType) throws {
        let stored = try Data(
            contentsOf: Fixtures.root.appending(path: "low-bit/units/gguf/\(type.name.lowercased()).bin"))
        // Where the last scale is in a block.
        let offset =
            switch type {
            case .q41, .q51, .q4K, .q5K: 3
            case .q6K: 209
            case .mxfp4: 0
            case .nvfp4: 3
            default: 1
            }
        var damaged = [UInt8](stored)
        damaged[damaged.count - type.blockBytes + offset] = type == .mxfp4 ? 253 : 0x7F
        let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data(damaged).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        let file = try MappedFile(url)
        let matrix = try #require(
            GGUFMatrix(
                type, rows: file.bytes.count / type.blockBytes, columns: type.blockColumns,
                MappedBytes(file.bytes, owner: file)))
        #expect(!matrix.hasFiniteScales(pool: nil))
    }

    private func floats(_ path: String) throws -> [Float] {
        let data = [UInt8](try Data(contentsOf: Fixtures.root.appending(path: path)))
        return try data.withUnsafeBytes { try #require(FloatConversion.floats($0, type: .float32)) }
    }
}

extension QuantizedReader {
    /// (rows, columns)
    func values(rows: Int, columns: Int) -> [Float] {
        let block = QuantizedRows.allocate(format, columns: columns)
        defer { block.deallocate() }
        var values: [Float] = []
        for first in stride(from: 0, to: rows, by: 16) {
            let range = first..<min(first + 16, rows)
            read(range, into: block)
            for row in range {
                for column in 0..<columns { values.append(block.value(row: row % 16, column: column)) }
            }
        }
        return values
    }
}

extension QuantizedMatrix {
    var values: [Float] { values(rows: rows, columns: columns) }
}
