import Basics
import Foundation
import JSON

/// Processes lines of JSON one by one, for programs that communicate through pipes.
public protocol LineScript {
    /// The output for one line, which is passed without its line feed. Never fails: the output for an invalid line describes the
    /// error.
    func answer(_ line: [UInt8]) -> JSONLine
}

/// One JSON object in one line, with a line feed.
public struct JSONLine: Sendable {
    /// UTF-8.
    public let bytes: [UInt8]

    init(_ value: JSONValue) {
        bytes = value.serialized + [UInt8(ascii: "\n")]
    }
}

/// Why a script cannot start.
public struct ScriptError: Error, CustomStringConvertible {
    let reason: String

    public var description: String { reason }
}

extension LineScript {
    /// Maximum length of a line in bytes.
    private static var longestLine: Int { 256 << 20 }

    /// Processes every line of `input` and writes its output at once, until the input ends.
    ///
    /// - Throws: if the files cannot be read or written.
    public func run(from input: FileHandle, to output: FileHandle) throws {
        var line: [UInt8] = []
        var isTooLong = false
        var isFirst = true
        func finishLine() throws {
            if isFirst { line = line.withoutByteOrderMark }
            isFirst = false
            let answer = isTooLong ? JSONLine(["error": "the line is too long"]) : answer(line)
            try output.write(contentsOf: Data(answer.bytes))
            line.removeAll(keepingCapacity: true)
            isTooLong = false
        }
        while case let data = input.availableData, !data.isEmpty {
            var rest = data[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                line += rest[..<end]
                try finishLine()
                rest = rest[(end + 1)...]
            }
            if line.count + rest.count > Self.longestLine {
                isTooLong = true
                line = []
            } else {
                line += rest
            }
        }
        if !line.isEmpty { try finishLine() }
    }
}
