import Grammars
import JSON
import TestSupport
import Testing

/// See ``CancellationStretches``.
@Suite(.serialized) struct GrammarCancellationTests {
    /// Inputs of the maximum size.
    static let grammars: [String: GrammarSource] = {
        let names = (0..<8000).map { "name\($0)" }
        let most = GrammarSource.mostBytes - 1000
        return [
            "one word": .regex(hostileText(of: "a", bytes: most)),
            "alternatives": .regex(hostileText(of: "ab|cd|", bytes: most) + "a"),
            "groups": .regex(hostileText(of: "(a|b)", bytes: most)),
            "classes": .regex(hostileText(of: "[a-f]", bytes: most)),
            "one class": .regex("[" + hostileText(of: "ab", bytes: most) + "]"), "choice": .choice(names),
            "long choices": .choice((0..<20).map { hostileText(of: "x", bytes: 10_000) + "\($0)" }),
            "one rule": .gbnf("root ::= " + hostileText(of: "\"a\" ", bytes: most)),
            "rules": .gbnf("root ::= \"a\"\n" + (0..<8000).map { "r\($0) ::= \"a\"\n" }.joined()),
            "comments": .gbnf("root ::= \"a\"\n" + hostileText(of: "# a\n", bytes: most)),
            "enum": .jsonSchema(["enum": .array(names.map { .string($0) })]),
            "properties": .jsonSchema([
                "type": "object",
                "properties": .object(names.reduce(into: JSONObject()) { $0[$1] = ["type": "integer"] }),
            ]),
            "properties in Lark": .lark("start: " + (0..<8000).map { "\"a\($0)\"" }.joined(separator: " | ")),
            "literals in Lark": .lark("start: " + hostileText(of: "\"a\" ", bytes: most)),
            "excluded texts": .structuralTag([
                "type": "any_text", "excludes": .array(names.prefix(700).map { .string($0) }),
            ]),
            "pattern and length": .jsonSchema([
                "type": "string", "pattern": "^(?:[a-z]+-)*[a-z]{3,9}$", "maxLength": 900, "minLength": 4,
            ]),
            "different texts": .jsonSchema([
                "type": "array", "uniqueItems": true, "items": ["enum": .array(names.map { .string($0) })],
            ]),
            "exactly one": .jsonSchema([
                "oneOf": .array(
                    (0..<40).map {
                        [
                            "type": "object", "properties": ["p\($0)": ["type": "integer"]],
                            "required": [.string("p\($0)")],
                        ]
                    })
            ]),
            "long name": .jsonSchema(["const": .string(hostileText(of: "x", bytes: most))]),
        ]
    }()

    @Test(arguments: grammars.keys.sorted())
    func `compiling checks for cancellation throughout a hostile grammar`(name: String) throws {
        let source = try #require(Self.grammars[name])
        let trie = VocabularyTrie(tokens: (UInt8(ascii: "a")...UInt8(ascii: "z")).map { [$0] })
        // The texts of a choice are sorted at once.
        let share = ["choice", "enum", "groups", "properties in Lark", "different texts"].contains(name) ? 0.5 : 0.25
        #expect(CancellationStretches.failure(of: { _ = try? source.compile(trie) }, share: share) == nil)
    }
}
