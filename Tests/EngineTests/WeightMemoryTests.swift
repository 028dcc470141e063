import Foundation
import Testing

@testable import Engine

@Suite struct WeightMemoryTests {
    @Test func `pieces are zero, aligned, and do not overlap`() {
        let memory = WeightMemory()
        let sizes = [1, 64, 65, 0, 1000, 3 << 20]
        let pieces = sizes.map { memory.allocate($0) }
        for (number, piece) in pieces.enumerated() {
            #expect(Int(bitPattern: piece.base) % 64 == 0)
            let bytes = UnsafeMutableRawBufferPointer(start: piece.base, count: sizes[number])
            #expect(bytes.allSatisfy { $0 == 0 })
            bytes.initializeMemory(as: UInt8.self, repeating: UInt8(number + 1))
        }
        for (number, piece) in pieces.enumerated() {
            let bytes = UnsafeRawBufferPointer(start: piece.base, count: sizes[number])
            #expect(bytes.allSatisfy { $0 == UInt8(number + 1) })
        }
    }

    @Test func `a piece outlives the memory that gave it, and one larger than a mapping has its own`() {
        var pieces: [WeightMemory.Piece] = []
        do {
            let memory = WeightMemory()
            pieces = [memory.allocate(100), memory.allocate(65 << 20), memory.allocate(100)]
        }
        for piece in pieces { piece.base.storeBytes(of: 7, as: UInt8.self) }
        (pieces[1].base + (65 << 20) - 1).storeBytes(of: 9, as: UInt8.self)
        #expect(pieces.allSatisfy { $0.base.load(as: UInt8.self) == 7 })
    }

    @Test func `the ranges cover all pieces, in order`() {
        let memory = WeightMemory()
        #expect(memory.ranges.joined().isEmpty)
        let pieces = [memory.allocate(100), memory.allocate(1000), memory.allocate(65 << 20)]
        let ranges = memory.ranges[0]
        #expect(ranges.map(\.count) == [128 + 1024, 65 << 20])
        #expect(ranges[0].baseAddress == UnsafeRawPointer(pieces[0].base))
        #expect(ranges[1].baseAddress == UnsafeRawPointer(pieces[2].base))
    }

    @Test func `weights and large buffers ask for huge pages`() throws {
        let piece = WeightMemory().allocate(1000)
        let buffer = Buffer<Float>(count: 1 << 20)
        #expect(buffer.contents.allSatisfy { $0 == 0 })
        for address in [UInt(bitPattern: piece.base), UInt(bitPattern: buffer.base)] {
            #expect(try flags(of: address).contains("hg"))
        }
    }

    /// The kernel's flags of the mapping that an address is in.
    private func flags(of address: UInt) throws -> [Substring] {
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
        let lines = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self).split(separator: "\n")
        var isInside = false
        for line in lines {
            let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
            if bounds.count == 2 { isInside = (bounds[0]..<bounds[1]).contains(address) }
            if isInside, line.hasPrefix("VmFlags:") { return line.split(separator: " ") }
        }
        return []
    }
}
