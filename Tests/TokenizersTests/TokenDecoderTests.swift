import TestSupport
import Testing

@testable import JSON
@testable import Tokenizers

@Suite struct TokenDecoderTests {
    private func text(_ decoder: JSONValue, _ tokens: [String], isExact: Bool = true) throws -> [String] {
        let decoder = try TokenDecoder(parsing: TokenizerMember(path: "decoder", value: decoder))
        var list = TokenList()
        for (id, token) in tokens.enumerated() { list.set(Array(token.utf8), id: Int32(id)) }
        let texts = TokenTexts(decoder, list, normalForms: [:], specialIDs: [])
        var stream = TokenTexts.Stream(texts, skipsSpecialTokens: true, isExact: isExact)
        let pieces = tokens.indices.map { stream.append(Int32($0), of: texts) } + [stream.flush()]
        return pieces.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        arguments: [
            (nil, ["a", "b", "c"], "a b c"),
            (["type": "Metaspace"], ["▁a▁", "▁b", "c▁d"], "a bc d"),
            (["type": "Metaspace", "prepend_scheme": "never"], ["▁a", "▁b"], " a b"),
            (["type": "ByteFallback"], ["<0xE6>", "<0x97>", "<0xA5>", "a", "<0x41>", "<0xFF>"], "日a\u{FFFD}\u{FFFD}"),
            (["type": "Strip", "content": " ", "start": 1, "stop": 1], ["  a", " b "], " ab"),
            (
                [
                    "type": "Sequence",
                    "decoders": [["type": "Fuse"], ["type": "Strip", "content": "x", "start": 2, "stop": 2]],
                ],
                ["xxx", "a", "x", "xx"], "xax"
            ),
            (
                [
                    "type": "Sequence",
                    "decoders": [
                        ["type": "Fuse"], ["type": "Replace", "pattern": ["String": "aab"], "content": "-"],
                    ],
                ], ["a", "a", "a", "b", "aa", "c", "a"], "a-aaca"
            ),
            (
                [
                    "type": "Sequence",
                    "decoders": [
                        ["type": "ByteFallback"], ["type": "Replace", "pattern": ["String": "▁"], "content": " "],
                        ["type": "Fuse"],
                    ],
                ], ["▁a", "<0xE2>", "<0x96>", "<0x81>"], " a "
            ),
        ] as [(JSONValue?, [String], String)])
    func `tokens become text step by step`(decoder: JSONValue?, tokens: [String], expected: String) throws {
        let pieces = try text(decoder ?? .null, tokens)
        #expect(sameBytes(pieces.joined(), expected))
    }

    @Test func `a stream returns the characters of byte tokens at once and takes nothing back`() throws {
        let tokens = ["<0xC3>", "<0xA9>", "<0xC3>", "<0x41>", "<0x42>", "b", "<0xE6>"]
        let pieces = try text(["type": "ByteFallback"], tokens, isExact: false)
        #expect(pieces == ["", "é", "", "\u{FFFD}\u{FFFD}", "\u{FFFD}", "b", "", "\u{FFFD}"])
        // The reference makes one U+FFFD of each byte of the run.
        #expect(
            try text(["type": "ByteFallback"], tokens).joined() == "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}b\u{FFFD}")
    }
}
