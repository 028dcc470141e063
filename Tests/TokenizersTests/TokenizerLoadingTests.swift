import Foundation
import TestSupport
import Testing
import Tokenizers

@Suite struct TokenizerLoadingTests {
    /// A vocabulary of three bytes, their merges and one special token.
    private static let smallest = """
        {"added_tokens": [{"id": 5, "content": "<s>", "special": true, "normalized": false}], "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}, "post_processor": null,
        "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4},
        "merges": ["a b", ["ab", "c"]]}}
        """

    @Test func `both notations of merges mean the same`() throws {
        let tokenizer = try load(TokenizerLoadingTests.smallest)
        #expect(tokenizer.encode("abc<s>cab", addSpecialTokens: true) == [4, 5, 2, 3])
    }

    @Test(
        arguments: [
            (#""normalizer": null"#, #""normalizer": {"type": "Precompiled"}"#, "normalizer", "Precompiled"),
            (
                #""post_processor": null"#, #""post_processor": {"type": "BertProcessing"}"#,
                "post_processor", "BertProcessing"
            ),
            (#""decoder": {"type": "ByteLevel"}"#, #""decoder": {"type": "WordPiece"}"#, "decoder", "WordPiece"),
            (
                #""decoder": {"type": "ByteLevel"}"#,
                #""decoder": {"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]}"#,
                "decoder.decoders[1]", "ByteFallback behind tokens that are joined"
            ),
            (#"{"type": "BPE""#, #"{"type": "Unigram""#, "model", "Unigram"),
            (#"{"type": "BPE""#, #"{"dropout": 0.5"#, "model.dropout", "0.5"),
            (#"{"type": "BPE""#, #"{"end_of_word_suffix": "</w>""#, "model.end_of_word_suffix", "</w>"),
            (#"{"type": "ByteLevel", "add"#, #"{"type": "Whitespace", "add"#, "pre_tokenizer", "Whitespace"),
            (
                #"{"type": "ByteLevel", "add"#,
                #"{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\h+"}}], "add"#,
                "pre_tokenizer.pretokenizers[0].pattern.Regex", #"\h"#
            ),
            (
                #"{"type": "ByteLevel", "add"#,
                #"{"type": "Split", "pattern": {"String": "x"}, "behavior": "Joined", "add"#,
                "pre_tokenizer.behavior", "Joined"
            ),
        ] as [(String, String, String, String)])
    func `a component that is not supported is refused with its name`(
        part: String, replacement: String, member: String, name: String
    ) throws {
        try #require(TokenizerLoadingTests.smallest.contains(part))
        let text = TokenizerLoadingTests.smallest.replacingOccurrences(of: part, with: replacement)
        #expect(throws: TokenizerError.unsupported(member: member, name: name)) { try load(text) }
    }

    @Test(
        arguments: [
            (#""id": 5"#, #""id": 6"#), (#""id": 5"#, #""id": -1"#), (#""content": "<s>""#, #""content": """#),
            (#""content": "<s>""#, #""content": "ab""#), (#""c": 2"#, #""c": 1"#), (#""c": 2"#, #""c": -2"#),
            (#""c": 2"#, #""c": 4294967296"#), (#""c": 2"#, #""c": "2""#), (#""a b""#, #""a  b""#),
            (#""a b""#, #""a x""#),
            (#""a b""#, #""b a""#), (#""a b""#, "7"), (#""merges""#, #""other""#), (#""vocab""#, #""other""#),
            (#"{"type": "ByteLevel"}"#, "7"), (#""special": true"#, #""special": 1"#),
            (#""type": "BPE""#, #""type": "BPE", "unk_token": "<unk>""#),
        ] as [(String, String)])
    func `a file that is malformed or inconsistent is refused`(part: String, replacement: String) throws {
        try #require(TokenizerLoadingTests.smallest.contains(part))
        let text = TokenizerLoadingTests.smallest.replacingOccurrences(of: part, with: replacement)
        #expect(throws: TokenizerError.self) { try load(text) }
    }

    /// "b▁a" is split before the mark, unless a rule joins the text before the mark with it.
    @Test(
        arguments: [
            (#"["▁", "a"]"#, [1, 3]), (#"["▁", "a"], ["b", "▁"]"#, [1, 3]), (#"["b", "▁"], ["▁", "a"]"#, [4, 0]),
        ] as [(String, [Int32])])
    func `words are encoded separately only if no rule joins them`(merges: String, ids: [Int32]) throws {
        let tokenizer = try load(
            """
            {"decoder": {"type": "Fuse"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "▁": 2, "▁a": 3, "b▁": 4},
            "merges": [\(merges)]}}
            """)
        #expect(tokenizer.encode("b▁a", addSpecialTokens: false) == ids)
    }

    @Test func `merges may come before the vocabulary`() throws {
        let tokenizer = try load(
            #"{"model": {"merges": ["a b"], "vocab": {"a": 0, "b": 1, "ab": 2}}, "decoder": null}"#)
        #expect(tokenizer.encode("aba", addSpecialTokens: false) == [2, 0])
    }

    @Test func `tokens that differ only in normalization are different tokens`() throws {
        let text = TokenizerLoadingTests.smallest.replacingOccurrences(
            of: #"{"id": 5, "content": "<s>""#, with: #"{"id": 5, "content": "é"}, {"id": 6, "content": "e\#u{301}""#)
        let tokenizer = try load(text)
        #expect(tokenizer.id(of: "\u{E9}") == 5)
        #expect(tokenizer.id(of: "e\u{301}") == 6)
        #expect(tokenizer.encode("e\u{301}\u{E9}", addSpecialTokens: false) == [6, 5])
    }

    @Test func `a missing file or a file that is not JSON is refused`() {
        for path in ["Tests/Fixtures/absent.json", "Tests/TestSupport/Fixtures.swift"] {
            #expect { try Tokenizer(contentsOf: Fixtures.repository.appending(path: path)) } throws: { error in
                if case .unreadable? = error as? TokenizerError { true } else { false }
            }
        }
    }

    @discardableResult
    private func load(_ text: String) throws -> Tokenizer {
        try Tokenizer(parsing: Array(text.utf8))
    }
}
