import Foundation
import TestSupport
import Testing

@testable import HTTP

/// A request as bytes, with the expected result.
struct CorpusCase: Sendable, CustomTestStringConvertible {
    enum Outcome: Equatable, Sendable {
        /// `method authority path body`.
        case request(String)
        case refused(WireError)
        case incomplete
    }

    let name: String
    /// The section of the RFC.
    let section: String
    let bytes: [UInt8]
    let outcome: Outcome

    var testDescription: String { name }
}

/// The requests of `Tests/HTTPTests/Corpus`, whose README describes the format.
enum RequestCorpus {
    /// Small limits, so that their cases stay readable.
    static var limits: WireLimits {
        var limits = WireLimits()
        limits.requestLineBytes = 64
        limits.headerBytes = 160
        limits.headerFields = 6
        limits.bodyBytes = 32
        limits.chunkLineBytes = 24
        return limits
    }

    static let all: [CorpusCase] = {
        do {
            return try files.flatMap(cases)
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    private static let files = [
        "request-lines", "targets", "fields", "host", "content-length", "chunked", "http-1.0",
    ]

    /// Why a file is not a valid corpus.
    private struct Malformed: Error {
        let file: String
        let name: String
        let reason: String
    }

    private static func cases(of file: String) throws -> [CorpusCase] {
        let url = Fixtures.repository.appending(path: "Tests/HTTPTests/Corpus/\(file).md")
        let parts = try String(contentsOf: url, encoding: .utf8).components(separatedBy: "\n## ").dropFirst()
        return try parts.map { part in
            let blocks = part.components(separatedBy: "\n```\n")
            let lines = blocks.first?.split(separator: "\n").map(String.init) ?? []
            func malformed(_ reason: String) -> Malformed {
                Malformed(file: file, name: lines.first ?? "", reason: reason)
            }
            guard lines.count == 2, lines[1].wholeMatch(of: /RFC (9110|9112|3986|6585), \d+(\.\d+)*/) != nil else {
                throw malformed("a case begins with its name and one section")
            }
            guard blocks.count == 3 else { throw malformed("a case has one block") }
            let verdict = blocks[2].trimmingCharacters(in: .newlines)
            guard let bytes = bytes(of: blocks[1]) else { throw malformed("an escape is not one of the README's") }
            guard let outcome = outcome(of: verdict) else { throw malformed("'\(verdict)' is no verdict") }
            return CorpusCase(name: lines[0], section: lines[1], bytes: bytes, outcome: outcome)
        }
    }

    private static func outcome(of verdict: String) -> CorpusCase.Outcome? {
        if verdict == "Unfinished" { return .incomplete }
        if let match = verdict.wholeMatch(of: /Read as `(.*)`/) {
            return unescape(match.1).map { .request(String(decoding: $0, as: UTF8.self)) }
        }
        guard let match = verdict.wholeMatch(of: /Refused: `(\w+)`, (\d+)/) else { return nil }
        let error = WireError.allCases.first { "\($0)" == match.1 && String($0.status.code) == match.2 }
        return error.map { .refused($0) }
    }

    private static func bytes(of block: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        for line in block.split(separator: "\n", omittingEmptySubsequences: false) {
            // A backslash at the end escapes nothing.
            let isOpen = line.reversed().prefix { $0 == "\\" }.count % 2 == 1
            guard let text = unescape(isOpen ? line.dropLast() : line) else { return nil }
            bytes += text + (isOpen ? [] : [13, 10])
        }
        return bytes
    }

    private static func unescape(_ line: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = line
        while let character = rest.popFirst() {
            guard character == "\\" else {
                bytes += Array(character.utf8)
                continue
            }
            if let match = rest.prefixMatch(of: /\{(.)\*(\d+)\}/), let count = Int(match.2) {
                bytes += Array(String(repeating: String(match.1), count: count).utf8)
                rest = rest[match.range.upperBound...]
            } else if let match = rest.prefixMatch(of: /x([0-9a-f]{2})/), let byte = UInt8(match.1, radix: 16) {
                bytes.append(byte)
                rest = rest[match.range.upperBound...]
            } else {
                switch rest.popFirst() {
                case "r": bytes.append(13)
                case "n": bytes.append(10)
                case "t": bytes.append(9)
                case "\\": bytes.append(UInt8(ascii: "\\"))
                default: return nil
                }
            }
        }
        return bytes
    }
}
