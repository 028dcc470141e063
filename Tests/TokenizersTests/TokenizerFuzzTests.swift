import Foundation
import TestSupport
import Testing

@testable import Basics
@testable import Tokenizers

/// Random texts and damaged files; the seed is fixed, so that failures are reproducible.
@Suite struct TokenizerFuzzTests {
    private static let fragments = [
        "the", " word", "'s", "  ", "\r\n", "\t", "123456", "½", "é", "e\u{301}", "\u{327}\u{301}", "日本", "한",
        "\u{200D}",
        "\u{FE0F}", "👨\u{200D}👩", "\u{0}", "\u{1F}", "\u{85}", "\u{2028}", "\u{FEFF}", "\u{E0001}", "\u{10FFFF}", "▁",
        "<|im_end|>", "<think>", "<0x41>",
    ]

    private static func text(_ random: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0..<20, using: &random) {
            if random.oneIn(2) {
                text += fragments[Int.random(in: 0..<fragments.count, using: &random)]
            } else {
                let value = UInt32.random(
                    in: 0..<0x11_0000 >> (5 * UInt32.random(in: 0...3, using: &random)), using: &random)
                text.unicodeScalars.append(Unicode.Scalar(value) ?? "x")
            }
        }
        return text
    }

    /// Tokenizers whose normalizer changes nothing and that add no prefix.
    @Test(arguments: [
        "trinity_like", "trinity_zerowidth", "llama3_like", "deepseek_v3_like", "deepseek_coder_like", "tekken_like",
    ])
    func `a byte-level text is reproduced`(kind: String) throws {
        let tokenizer = try TokenizerVectors(kind: kind).tokenizer
        var random = SeededGenerator(seed: 31)
        for _ in 0..<400 {
            let text = Self.text(&random)
            let ids = tokenizer.encode(text, addSpecialTokens: false)
            #expect(sameBytes(tokenizer.decode(ids, skipSpecialTokens: false), text), "\(text.debugDescription)")
        }
    }

    @Test(arguments: TokenizerVectors.kinds)
    func `streaming and decoding agree, and trusted runs are one text`(kind: String) throws {
        let tokenizer = try TokenizerVectors(kind: kind).tokenizer
        var random = SeededGenerator(seed: 32)
        for _ in 0..<200 {
            let parts = (0..<4).map { _ in Self.text(&random) }
            let ids = tokenizer.encode(parts.joined(), addSpecialTokens: false)
            let runs = parts.map { TextRun(text: $0, isTrusted: true) }
            #expect(tokenizer.encode(runs, addSpecialTokens: false) == ids, "\(parts)")
            var stream = IncrementalDetokenizer(tokenizer: tokenizer, skipSpecialTokens: false)
            var streamed: [UInt8] = []
            for id in ids { streamed += stream.append(id) }
            streamed += stream.flush()
            // These are tokens of whole characters, so both agree.
            #expect(streamed == Array(tokenizer.decode(ids, skipSpecialTokens: false).utf8))
        }
    }

    @Test func `a damaged file is refused or read, and never crashes`() throws {
        let small = """
            {"added_tokens": [{"id": 5, "content": "<s>", "special": true}], "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "ByteLevel", "use_regex": true}, "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c\\u00e9": 2, "ab": 3, "abb": 4}, "merges": ["a b", ["ab", "b"]]}}
            """
        let file = Array(small.utf8)
        let characters: [UInt8] = Array("{}[]\",:\\ 0a9-\u{1}".utf8) + [0xFF, 0xC3]
        var random = SeededGenerator(seed: 33)
        var readable = 0
        for _ in 0..<1_000 {
            var damaged = file
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<damaged.count, using: &random)
                let byte = characters[Int.random(in: 0..<characters.count, using: &random)]
                switch Int.random(in: 0..<4, using: &random) {
                case 0: damaged[place] = byte
                case 1: damaged.remove(at: place)
                case 2: damaged.insert(byte, at: place)
                default: damaged.removeLast(damaged.count - max(place, 1))
                }
            }
            do {
                let tokenizer = try Tokenizer(parsing: damaged)
                _ = tokenizer.decode(tokenizer.encode("ab<s>é", addSpecialTokens: true), skipSpecialTokens: false)
                readable += 1
            } catch {}
        }
        #expect(readable > 30)
        #expect(readable < 970)
    }

    /// A tenth of a megabyte, since debug builds are slow; the benchmark measures a whole one.
    @Test(arguments: ["trinity_like", "llama2_spm_like", "flags_torture"], ["a", "1", " "])
    func `the cost of a long run is proportional to its length`(kind: String, character: String) throws {
        let tokenizer = try TokenizerVectors(kind: kind).tokenizer
        func time(_ count: Int) -> Duration {
            let text = String(repeating: character, count: count)
            let start = ContinuousClock.now
            _ = tokenizer.encode(text, addSpecialTokens: false)
            return ContinuousClock.now - start
        }
        let short = time(10_000)
        // A quadratic algorithm would take a hundred times as long.
        #expect(time(100_000) < short * 50 + .seconds(1))
    }
}
