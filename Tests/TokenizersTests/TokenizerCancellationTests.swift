import Basics
import Foundation
import TestSupport
import Testing

@testable import Tokenizers

/// See ``CancellationStretches``.
@Suite(.serialized) struct TokenizerCancellationTests {
    static let texts: [(name: String, unit: String)] = [
        ("one word", "a"), ("capitals", "A"), ("digits", "7"), ("spaces", " "), ("newlines", "\n"), ("slashes", "/"),
        ("ideographs", "\u{4E2D}"), ("accents", "\u{301}"), ("words", " word"),
        ("long words", hostileText(of: "ab", bytes: 2000) + " "),
        ("apostrophes", "'s"), ("joined marks", "\u{2581}"),
    ]

    static let files: [(name: String, normalizer: String, preTokenizer: String, texts: Set<String>)] = [
        (
            "byte level", "null", #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#,
            ["one word", "words", "long words"]
        ),
        (
            "NFC and words of o200k", #"{"type": "NFC"}"#,
            split(o200k),
            ["one word", "capitals", "spaces", "newlines", "slashes", "ideographs", "accents", "apostrophes"]
        ),
        ("digits in threes", #"{"type": "Lowercase"}"#, split(#"\\d{1,3}(?=(?:\\d{3})*\\b)"#), ["digits", "one word"]),
        (
            "ranges", #"{"type": "Strip", "strip_left": true, "strip_right": true}"#, split("[一-龥]+"),
            ["ideographs", "spaces"]
        ),
        (
            "marks of words", #"{"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}"#,
            #"{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": false}"#,
            ["words", "one word", "joined marks"]
        ),
    ]

    private static let o200k = {
        let prefix = #"[^\\r\\n\\p{L}\\p{N}]?"#
        let upper = #"[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"#
        let lower = #"[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"#
        let suffix = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        return prefix + upper + "*" + lower + "+" + suffix + prefix + upper + "+" + lower + "*" + suffix
            + #"\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"#
    }()

    private static func split(_ regex: String) -> String {
        #"{"type": "Split", "pattern": {"Regex": "\#(regex)"}, "behavior": "Isolated", "invert": false}"#
    }

    private func tokenizer(_ normalizer: String, _ preTokenizer: String) throws -> Tokenizer {
        let vocabulary = #"{"a": 0, "b": 1, "aa": 2, "ab": 3, "aaaa": 4, "\u2581": 5, "7": 6}"#
        return try Tokenizer(
            parsing: Array(
                """
                {"added_tokens": [{"id": 7, "content": "aaaaaaaab", "normalized": false, "special": false}],
                "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer), "decoder": null,
                "model": {"type": "BPE", "vocab": \(vocabulary), "merges": ["a a", "a b", "aa aa"]}}
                """.utf8))
    }

    @Test(arguments: files.indices)
    func `a tokenizer checks for cancellation throughout a hostile text`(file: Int) throws {
        let file = Self.files[file]
        let tokenizer = try tokenizer(file.normalizer, file.preTokenizer)
        let texts = Self.texts.filter { file.texts.contains($0.name) }
        #expect(!texts.isEmpty && texts.count == file.texts.count, "\(file.texts)")
        for (name, unit) in texts {
            let runs = [TextRun(text: hostileText(of: unit), isTrusted: false)]
            #expect(
                CancellationStretches.failure(of: { _ = tokenizer.encode(runs, addSpecialTokens: false) }) == nil,
                "\(file.name), \(name)")
        }
    }

    /// Long texts are split for normalization only where no character is reordered or joins the one before.
    @Test func `normalizing a text in parts gives the same result as for the whole`() {
        var seconds: Set<Unicode.Scalar> = []
        let scalars = (0..<UInt32(0x110000)).compactMap(Unicode.Scalar.init)
        for scalar in scalars {
            seconds.formUnion(String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars.dropFirst())
        }
        let separators = scalars.filter { UnicodeForm.separates($0.value) }
        #expect(separators.contains("a") && !separators.contains("\u{301}"))
        for scalar in separators {
            for form in [
                String(scalar).decomposedStringWithCanonicalMapping,
                String(scalar).decomposedStringWithCompatibilityMapping,
            ] {
                guard let first = form.unicodeScalars.first else { continue }
                #expect(
                    first.properties.canonicalCombiningClass == .notReordered && !seconds.contains(first), "\(scalar)")
            }
        }
    }
}
