import Foundation
import TestSupport
import Testing

@testable import Training

@Suite struct LineFileTests {
    private let temporary: TemporaryModel

    init() throws {
        temporary = try TemporaryModel()
    }

    private func file(_ text: String) throws -> LineFile {
        try temporary.write(Array(text.utf8), to: "a.jsonl")
        return try LineFile(temporary.directory.appending(path: "a.jsonl"))
    }

    private func text(_ file: LineFile, _ index: Int) throws -> String? {
        guard case .text(let text) = try file.document(index).content else { return nil }
        return text
    }

    @Test func `each line that is not empty is a document, with either end of line and none at the end`() throws {
        // More than a piece that is read at a time.
        let long = String(repeating: "a", count: 3 << 20)
        let file = try file(
            "\u{FEFF}{\"text\":\"one\"}\r\n\n  \t\n{\"text\":\"\(long)\"}\n{\"text\":\"three\"}")
        #expect(file.count == 3)
        #expect(try text(file, 0) == "one" && text(file, 1) == long && text(file, 2) == "three")
    }

    @Test func `a bad line late in the file is found when it is opened, with its number`() throws {
        let good = String(repeating: "{\"text\":\"a\"}\n", count: 70_000)
        #expect {
            try file(good + "\n{\"text\":7}\n" + good)
        } throws: {
            guard case TrainingError.line(let file, 70_002, let reason) = $0 else { return false }
            return file.hasSuffix("a.jsonl") && reason.contains("neither text nor messages")
        }
    }

    @Test func `a file without documents and a folder are refused`() throws {
        for text in ["", "\n \n"] { #expect(throws: TrainingError.self) { try file(text) } }
        #expect(throws: TrainingError.self) { try LineFile(temporary.directory) }
        #expect(throws: TrainingError.self) { try LineFile(temporary.directory.appending(path: "none")) }
    }

    @Test func `a file that was changed after it was opened gives an error with the line`() throws {
        let file = try file("{\"text\":\"one\"}\n{\"text\":\"two\"}\n")
        // The same file, not another one under its name.
        let handle = try FileHandle(forWritingTo: temporary.directory.appending(path: "a.jsonl"))
        try handle.truncate(atOffset: 20)
        #expect(try text(file, 0) == "one")
        #expect {
            try file.document(1)
        } throws: {
            guard case TrainingError.line(_, 2, _) = $0 else { return false }
            return true
        }
    }
}
