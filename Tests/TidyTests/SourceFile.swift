import Foundation
import TestSupport
import Testing

/// A Swift file as text: its lines, and the same lines with comments and string contents blanked out.
struct SourceFile {
    /// Relative to the repository, `Sources/HTTP/HTTPService.swift`.
    let path: String
    let lines: [String]
    /// The same lines, but with spaces in place of everything except code, so that rules ignore prose.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        code = CodeMask.mask(text).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    var name: String { (path as NSString).lastPathComponent }

    func isIn(_ place: String) -> Bool {
        path == place || path.hasPrefix(place + "/")
    }

    /// Fails the running test at the line with this index.
    func report(_ message: String, at index: Int) {
        let location = SourceLocation(
            fileID: "trinity/" + path, filePath: Fixtures.repository.appending(path: path).path, line: index + 1,
            column: 1)
        Issue.record("\(path):\(index + 1): \(message)", sourceLocation: location)
    }
}

extension SourceFile {
    /// All Swift files of the project's libraries and its executable.
    static let sources = read("Sources")
    /// All Swift files of the tests, except these rules, which contain what they forbid.
    static let tests = read("Tests").filter { !$0.isIn("Tests/TidyTests") }

    private static func read(_ folder: String) -> [SourceFile] {
        Repository.files(in: folder).filter { $0.hasSuffix(".swift") }.map { path in
            SourceFile(path: path, text: Repository.text(path))
        }
    }
}

/// The checkout as a folder of texts.
enum Repository {
    /// Paths of the files below `folder`, relative to the repository, in order.
    static func files(in folder: String) -> [String] {
        let root = Fixtures.repository.appending(path: folder).path
        let found = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        // Hidden folders are not in git: builds, and sources that benchmarks fetch.
        let visible = found.filter { !$0.split(separator: "/").dropLast().contains { $0.hasPrefix(".") } }
        return visible.map { folder + "/" + $0 }.sorted()
    }

    /// Paths of the files in git, relative to the repository.
    static func trackedFiles() throws -> [String] {
        let (process, output) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // The checkout may belong to another user.
        process.arguments = ["git", "-c", "safe.directory=*", "-C", Fixtures.repository.path, "ls-files", "-z"]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text.split(separator: "\0").map(String.init)
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: Fixtures.repository.appending(path: path).path)
    }

    /// The text at `path`; empty if it is not UTF-8.
    static func text(_ path: String) -> String {
        (try? String(contentsOf: Fixtures.repository.appending(path: path), encoding: .utf8)) ?? ""
    }
}
