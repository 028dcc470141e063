import Foundation
import Testing

@testable import Server

@Suite struct LineReaderTests {
    /// The lines of these pieces.
    private func lines(_ pieces: [String]) throws -> [String] {
        let pipe = Pipe()
        var reader = LineReader(descriptor: pipe.fileHandleForReading.fileDescriptor)
        var lines: [String] = []
        for piece in pieces {
            try pipe.fileHandleForWriting.write(contentsOf: Data(piece.utf8))
            // A piece that ends with a line end can be read without waiting.
            for _ in piece.utf8.filter({ $0 == UInt8(ascii: "\n") }) {
                let line = reader.next()
                lines.append(try #require(line))
            }
        }
        try pipe.fileHandleForWriting.close()
        while let line = reader.next() { lines.append(line) }
        #expect(reader.next() == nil)
        return lines
    }

    @Test(
        arguments: [
            ([], []), (["\n"], [""]), (["a\n", "b\r\n\n"], ["a", "b", ""]), (["a\nb\nc"], ["a", "b", "c"]),
            (["é", "ü\n"], ["éü"]), (["a\r\n"], ["a"]), (["a\rb\n"], ["a\rb"]),
            ([String(repeating: "x", count: 10_000) + "\ny\n"], [String(repeating: "x", count: 10_000), "y"]),
        ] as [([String], [String])])
    func `lines are returned as they are typed, for any pieces`(pieces: [String], expected: [String]) throws {
        #expect(try lines(pieces) == expected)
    }

    @Test func `a file that cannot be read has no lines`() {
        var reader = LineReader(descriptor: -1)
        #expect(reader.next() == nil)
    }
}
