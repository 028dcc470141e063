import Foundation
import TestSupport
import Testing

@testable import Tokenizers

/// Files that would use unlimited memory or time, when they are read or when a text is encoded.
@Suite struct TokenizerLimitTests {
    /// A tokenizer of two tokens with additional `members`, in JSON.
    private func load(
        added: String = "[]", normalizer: String = "null", preTokenizer: String = "null", decoder: String = "null",
        vocabulary: String = #"{"a": 0, "b": 1}"#, merges: String = "[]"
    ) throws -> Tokenizer {
        try Tokenizer(
            parsing: Array(
                """
                {"added_tokens": \(added), "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer),
                "decoder": \(decoder), "model": {"type": "BPE", "vocab": \(vocabulary), "merges": \(merges)}}
                """.utf8))
    }

    private func refusal(_ load: () throws -> Tokenizer) -> String {
        do {
            _ = try load()
            return "nothing"
        } catch {
            return "\(error)"
        }
    }

    private func added(_ contents: some Sequence<String>, normalized: Bool = false) -> String {
        let entries = contents.enumerated().map {
            #"{"id": \#($0 + 2), "content": "\#($1)", "normalized": \#(normalized), "special": false}"#
        }
        return "[" + entries.joined(separator: ",") + "]"
    }

    @Test func `a million added tokens are refused before they become values`() {
        let clock = ContinuousClock()
        let entry = #"{"id":2,"content":"x"}"#
        let text = "[" + Array(repeating: entry, count: 1_000_000).joined(separator: ",") + "]"
        let start = clock.now
        #expect(refusal { try load(added: text) }.contains("added_tokens has more than the limit of 131072 entries"))
        // As values they take a minute in a debug build.
        #expect(clock.now - start < .seconds(20))
    }

    @Test func `the size of added tokens is bounded, individually and in total`() throws {
        let long = String(repeating: "x", count: 256)
        #expect(try load(added: added([long])).encode("a" + long + "b", addSpecialTokens: false) == [0, 2, 1])
        #expect(
            refusal { try load(added: added([long + "x"])) }
                == "tokenizer.json: added_tokens[0].content has 257 bytes, more than the limit of 256")
        let many = (0..<8300).map { String(format: "%06d", $0) + String(repeating: "y", count: 250) }
        #expect(refusal { try load(added: added(many)) }.contains("more than the limit of 2097152"))
        let grown = (0..<2000).map { String(format: "%06d", $0) + String(repeating: " ", count: 250) }
        let normalizer = #"{"type": "Replace", "pattern": {"String": " "}, "content": "12345678"}"#
        #expect(
            refusal { try load(added: added(grown, normalized: true), normalizer: normalizer) }
                .contains("normalised bytes, more than the limit of 2097152"))
    }

    private static func replace(_ pattern: String, _ content: String) -> String {
        #"{"type": "Replace", "pattern": {"String": "\#(pattern)"}, "content": "\#(content)"}"#
    }

    private static func sequence(_ name: String, _ parts: [String]) -> String {
        #"{"type": "Sequence", "\#(name)": [\#(parts.joined(separator: ","))]}"#
    }

    @Test func `a normalizer that doubles a text repeatedly is refused`() throws {
        func doubling(_ count: Int) -> String {
            Self.sequence("normalizers", Array(repeating: Self.replace("a", "aa"), count: count))
        }
        let tokenizer = try load(normalizer: doubling(4))
        #expect(tokenizer.encode("aba", addSpecialTokens: false).count == 33)
        #expect(
            refusal { try load(normalizer: doubling(5)) }
                == "tokenizer.json: normalizer has 32 times the length of a text as its result, more than the limit of 16"
        )
        let regex = #"{"type": "Replace", "pattern": {"Regex": "(?=b)"}, "content": "0123456789abcdef"}"#
        #expect(refusal { try load(normalizer: regex) }.contains("17 times the length"))
        let long = String(repeating: "c", count: 129)
        #expect(refusal { try load(normalizer: Self.replace("a", long)) }.contains("more than the limit of 128"))
        #expect(refusal { try load(normalizer: Self.replace(long, "a")) }.contains("more than the limit of 128"))
        let prepend = #"{"type": "Prepend", "prepend": "\#(long)"}"#
        #expect(refusal { try load(normalizer: prepend) }.contains("more than the limit of 128"))
    }

    @Test func `steps are counted, and the growth by other components is bounded too`() throws {
        let lower = #"{"type": "Lowercase"}"#
        _ = try load(normalizer: Self.sequence("normalizers", Array(repeating: lower, count: 64)))
        #expect(
            refusal { try load(normalizer: Self.sequence("normalizers", Array(repeating: lower, count: 65))) }
                == "tokenizer.json: normalizer has 65 steps, more than the limit of 64")
        let digits = #"{"type": "Digits"}"#
        #expect(
            refusal { try load(preTokenizer: Self.sequence("pretokenizers", Array(repeating: digits, count: 65))) }
                .contains("pre_tokenizer has 65 steps"))
        // Each step turns every byte beyond ASCII into two of them.
        let bytes = #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}"#
        #expect(
            refusal { try load(preTokenizer: Self.sequence("pretokenizers", Array(repeating: bytes, count: 9))) }
                .contains("pre_tokenizer has 32 times"))
        let metaspace = #"{"type": "Metaspace", "replacement": "123456789"}"#
        #expect(refusal { try load(preTokenizer: metaspace) }.contains("pre_tokenizer has 18 times"))
        let parts = Array(repeating: Self.replace("a", "aa"), count: 5)
        #expect(refusal { try load(decoder: Self.sequence("decoders", parts)) }.contains("decoder has 32 times"))
        let fused = [#"{"type": "Fuse"}"#] + parts
        #expect(refusal { try load(decoder: Self.sequence("decoders", fused)) }.contains("decoder has 32 times"))
    }

    @Test func `a component is bounded before it becomes a value`() {
        let zeros = Array(repeating: "0", count: 5_000_000).joined(separator: ",")
        #expect(
            refusal { try load(normalizer: "[\(zeros)]") }.contains(
                "normalizer has 10000001 bytes, more than the limit"))
    }

    @Test func `a file beyond the limit is not read`() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "tokenizer-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: url) }
        try Data("{}".utf8).write(to: url)
        #expect(truncate(url.path, off_t(TokenizerLimits.fileBytes + 1)) == 0)
        #expect(
            refusal { try Tokenizer(contentsOf: url) }.contains("has 134217729 bytes, more than the limit of 134217728")
        )
    }
}
