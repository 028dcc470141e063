import Foundation
import TestSupport

extension FuzzTarget {
    /// An input of the corpus.
    public struct Input: Sendable {
        /// The name of its file.
        public let name: String
        public let bytes: [UInt8]
    }

    private static let folder = Fixtures.repository.appending(path: "Tests/Fuzzing")

    /// Inputs that reach different code, and all inputs that have failed once; by name.
    public func corpus() throws -> [Input] {
        let folder = FuzzTarget.folder.appending(path: "Corpus/\(rawValue)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        return try names.map { Input(name: $0, bytes: [UInt8](try Data(contentsOf: folder.appending(path: $0)))) }
    }

    /// Words of the target's format, from its libFuzzer dictionary.
    public func words() throws -> [[UInt8]] {
        let file = FuzzTarget.folder.appending(path: "Dictionaries/\(rawValue).txt")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        return lines.compactMap { line in
            guard line.first == "\"", line.last == "\"" else { return nil }
            return FuzzTarget.unescape(line.dropFirst().dropLast().utf8)
        }
    }

    /// `\\`, `\"` and `\xAB` are escapes of a dictionary.
    private static func unescape(_ text: Substring.UTF8View) -> [UInt8] {
        var word: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
                word.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            if escaped == UInt8(ascii: "x"), let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) {
                rest = rest.dropFirst(2)
                word.append(value)
            } else {
                word.append(escaped)
            }
        }
        return word
    }
}
