import Testing

@testable import Tokenizers

@Suite struct RegexDialectTests {
    private func matches(_ regex: String, _ text: String) throws -> [String] {
        let bytes = Array(text.utf8)
        let pattern = try RegexPattern(regex)
        var found: [String] = []
        bytes.withReader { pattern.forEachMatch(in: $0) { found.append(String(decoding: bytes[$0], as: UTF8.self)) } }
        return found
    }

    @Test(
        arguments: [
            (#"\w+"#, "a½ x\u{200D}y", ["a½", "x", "y"]), (#"\W"#, "a²\u{200C}", ["\u{200C}"]),
            (#"[^\w]"#, "a²\u{200C}-", ["\u{200C}", "-"]), (#"\d+\b"#, "12 34x 56½", ["12"]),
            (#"[\s\S]\B"#, "ab c", ["a"]), ("a.c", "a\rc a\nc", ["a\rc"]), ("^b$", "a\nb\nc", ["b"]),
            ("(?i)ſ", "S", ["S"]), (#"\v"#, "\u{B}\n", ["\u{B}"]), ("a{2}", "aaaaa", ["aa", "aa"]),
            (#"[{}&]"#, "a{&", ["{", "&"]), (#"\x41\x{1F600}\u0042"#, "A😀B", ["A😀B"]), ("[日本]+", "a日本b", ["日本"]),
            ("x*", "axxb", ["", "xx", ""]),
        ] as [(String, String, [String])])
    func `a pattern has the same meaning as in the reference`(regex: String, text: String, expected: [String]) throws {
        #expect(try matches(regex, text) == expected)
    }

    @Test(
        arguments: [
            (#"\h+"#, #"\h"#), (#"\R"#, #"\R"#), (#"a\K"#, #"\K"#), (#"(a)\1"#, #"\1"#), ("a{,3}", "{,3}"),
            ("a{2}+", "{2}+"), ("a{2}?", "{2}?"), ("{a}", "{a}"), ("[[:alpha:]]", "[:"), ("[a-z&&b]", "&&"),
            ("[a--b]", "--"), ("[]a]", "[]"), ("a(?i)b", "(?i"), ("(?<n>a)", "(?<"), ("(?m:a)", "(?m"),
            (#"\p{^L}"#, #"\p{^L}"#), (#"\p{Alnum}"#, #"\p{Alnum}"#), (#"\xFF"#, #"\xFF"#), ("(a", "(a"),
            (#"a\"#, #"\"#), (#"\p"#, #"\p"#), (#"[\b]"#, #"\b"#),
        ] as [(String, String)])
    func `a construct of only one engine is refused with its name`(regex: String, construct: String) {
        #expect(throws: RegexDialect.Unsupported(construct: construct)) { try RegexPattern(regex) }
    }

    @Test func `a piece longer than the engine's limit is matched in windows`() throws {
        let words = String(repeating: "日本語 abc ", count: 2_000)
        #expect(try matches(#"\S+"#, words).count == 4_000)
        #expect(try matches("a+", String(repeating: "a", count: 10_000)).joined().utf8.count == 10_000)
        #expect(try matches("b", String(repeating: "😀", count: 5_000)) == [])
    }
}
