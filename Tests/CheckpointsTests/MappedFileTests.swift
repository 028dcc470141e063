import Foundation
import Testing

@testable import Checkpoints

@Suite struct MappedFileTests {
    /// The system maps up to 2 MB around a page that is read, and files have thousands of tensors.
    @Test func `pages that were read and released in parts are not resident`() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "mapped-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: url) }
        let (pieces, pieceBytes) = (200, 100_000)
        try Data(count: pieces * pieceBytes).write(to: url)
        let file = try MappedFile(url)
        var sum = 0
        for piece in 0..<pieces {
            let part = UnsafeRawBufferPointer(
                rebasing: file.bytes[piece * pieceBytes..<(piece + 1) * pieceBytes])
            for offset in stride(from: 0, to: pieceBytes, by: 512) { sum += Int(part[offset]) }
            file.release(part)
        }
        #expect(sum == 0)
        let resident = try withExtendedLifetime(file) { try Self.residentKilobytes(of: url) }
        // If only the pages themselves were released, a quarter of the file would remain; with 64 KB around them, more than 1 MB.
        #expect(resident <= 256)
    }

    /// The entry of /proc for the mapping of a file.
    private static func residentKilobytes(of url: URL) throws -> Int {
        // The file has no length, and a plain read stops early.
        let data = try #require(try FileHandle(forReadingAtPath: "/proc/self/smaps")?.readToEnd())
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        let start = try #require(lines.firstIndex { $0.hasSuffix(url.lastPathComponent) })
        let line = try #require(lines[start...].first { $0.hasPrefix("Rss:") })
        return try #require(line.split(separator: " ").compactMap { Int($0) }.first)
    }
}
