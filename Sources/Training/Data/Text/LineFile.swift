import Basics
import Foundation

/// The documents of a JSONL file, which has one JSON object per line.
///
/// Opening the file reads it once, in chunks, and checks everything in each line that does not need a tokenizer. A document is
/// read again when it is needed, on any thread. Empty lines are skipped.
final class LineFile: Sendable {
    /// The maximum length of a line in bytes.
    private static let longestLine = 16 << 20
    private static let mostLines = 1 << 28
    private static let chunkBytes = 1 << 20

    private struct Line: Sendable {
        var offset: Int
        var count: Int32
        /// The line number in the file, from 1.
        var number: Int32
    }

    private final class Descriptor: Sendable {
        let number: Int32
        init(_ number: Int32) { self.number = number }
        deinit { close(number) }
    }

    let path: String
    private let descriptor: Descriptor
    private let lines: [Line]

    var count: Int { lines.count }

    /// - Throws: `TrainingError.file`, or `TrainingError.line` for the first line that is not a document.
    init(_ url: URL) throws(TrainingError) {
        path = url.path
        do throws(RegularFile.Failure) {
            descriptor = Descriptor(try RegularFile.open(path).descriptor)
        } catch {
            throw .file(path, reason: error.description)
        }
        var lines: [Line] = []
        var (line, start, number) = ([UInt8](), 0, 1)
        func finishLine() throws(TrainingError) {
            defer {
                start += line.count + 1
                number += 1
                line.removeAll(keepingCapacity: true)
            }
            guard line.contains(where: { !Self.isSpace($0) }) else { return }
            guard lines.count < Self.mostLines else {
                throw .file(url.path, reason: "has more than \(Self.mostLines) documents")
            }
            do throws(TextDocument.Failure) { _ = try TextDocument(parsing: line) } catch {
                throw .line(file: url.path, number: number, reason: error.reason)
            }
            lines.append(Line(offset: start, count: Int32(line.count), number: Int32(clamping: number)))
        }
        var position = 0
        while true {
            let chunk = try Self.read(descriptor.number, at: position, count: Self.chunkBytes, path: url.path)
            guard !chunk.isEmpty else { break }
            position += chunk.count
            var rest = chunk[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                line += rest[..<end]
                try finishLine()
                rest = rest[(end + 1)...]
            }
            line += rest
            guard line.count <= Self.longestLine else {
                throw .line(
                    file: url.path, number: number, reason: "is longer than \(Self.longestLine) bytes")
            }
        }
        try finishLine()
        guard !lines.isEmpty else { throw .file(url.path, reason: "has no document") }
        self.lines = lines
    }

    /// Returns the document at an index in 0 ..< ``count``.
    ///
    /// - Throws: the same errors as the initializer, if the file has changed.
    func document(_ index: Int) throws(TrainingError) -> TextDocument {
        let line = lines[index]
        let bytes = try Self.read(descriptor.number, at: line.offset, count: Int(line.count), path: path)
        do throws(TextDocument.Failure) {
            return try TextDocument(parsing: bytes)
        } catch {
            throw failure(index, error.reason)
        }
    }

    /// Returns the error for a document that cannot be used.
    func failure(_ index: Int, _ reason: String) -> TrainingError {
        .line(file: path, number: Int(lines[index].number), reason: reason)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    /// Reads up to `count` bytes. The result is shorter only at the end of the file.
    private static func read(
        _ descriptor: Int32, at offset: Int, count: Int, path: String
    ) throws(TrainingError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            while done < count {
                let result = pread(descriptor, buffer.baseAddress.map { $0 + done }, count - done, off_t(offset + done))
                if result < 0, errno == EINTR { continue }
                if result < 0 { failure = errno }
                guard result > 0 else { break }
                done += result
            }
        }
        guard failure == 0 else { throw .file(path, reason: String(cString: strerror(failure))) }
        return bytes
    }
}
