import JSON
import TestSupport
import Testing

/// See ``CancellationStretches``.
@Suite(.serialized) struct JSONCancellationTests {
    /// Identified by their names: a test prints its arguments.
    static let readTexts: [String: String] = [
        "spaces": "[" + hostileText(of: " ") + "]", "newlines behind": "[]" + hostileText(of: "\n"),
        "one string": "\"" + hostileText(of: "x") + "\"", "escapes": "\"" + hostileText(of: "\\n") + "\"",
        "numbers": "[" + hostileText(of: "1,") + "1]", "strings": "[" + hostileText(of: #""abcdefg","#) + "1]",
        "longer strings": "[" + hostileText(of: "\"" + hostileText(of: "y", bytes: 3000) + "\",") + "1]",
        "names": "{" + (0..<50_000).map { #""name\#($0)":1"# }.joined(separator: ",") + "}",
    ]

    @Test(arguments: readTexts.keys.sorted())
    func `parsing JSON checks for cancellation throughout a hostile text`(name: String) throws {
        let bytes = Array(try #require(Self.readTexts[name]).utf8)
        #expect(CancellationStretches.failure(of: { _ = try? JSONValue(parsing: bytes) }) == nil, "reading \(name)")
        #expect(
            CancellationStretches.failure(of: { _ = JSONValue.estimatedBytes(of: bytes) }) == nil,
            "estimating \(name)")
    }

    static let written: [String: JSONValue] = [
        "one string": .string(hostileText(of: "x")), "escapes": .string(hostileText(of: "\n")),
        "strings": .array(
            Array(repeating: .string(hostileText(of: "y", bytes: 3000)), count: 32 * hostileBytes / 3000)),
        "numbers": .array(Array(repeating: .integer(1), count: hostileBytes / 2)),
    ]

    @Test(arguments: written.keys.sorted())
    func `writing JSON checks for cancellation throughout a large value`(name: String) throws {
        let value = try #require(Self.written[name])
        #expect(CancellationStretches.failure(of: { _ = value.serialized }) == nil, "writing \(name)")
    }
}
