import Basics
import Foundation
import JSON
import TestSupport
import Tokenizers

extension FuzzTarget {
    /// Any bytes are a tokenizer or a `TokenizerError`; the file of a tokenizer is JSON, and its ids of a text are tokens.
    static func readTokenizerFile(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let tokenizer = try? Tokenizer(parsing: bytes) else { return }
        try BrokenInvariant.check((try? JSONValue(parsing: bytes)) != nil, "a file that is not JSON was read")
        for isText in [false, true] {
            let ids = tokenizer.encode(sampleText, addSpecialTokens: false, specialTokensAsText: isText)
            try checkTokens(ids, of: tokenizer)
            _ = tokenizer.decode(ids, skipSpecialTokens: isText)
        }
        _ = tokenizer.decode(tokenizer.encode("", addSpecialTokens: true), skipSpecialTokens: false)
        let few = (-1..<Int32(min(tokenizer.vocabularySize, 300) + 1)).map { $0 }
        _ = tokenizer.decode(few, skipSpecialTokens: false)
        _ = stream(few, of: tokenizer)
    }

    /// Any text has ids that are tokens; splits into trusted runs change nothing; streaming and decoding agree; byte-level
    /// tokenizers reproduce the text.
    static func encode(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let choice = bytes.first, !kinds.isEmpty else { return }
        let kind = kinds[Int(choice) % kinds.count]
        let text = String(decoding: bytes.dropFirst(), as: UTF8.self)

        let plain = kind.tokenizer.encode(text, addSpecialTokens: false, specialTokensAsText: true)
        try checkTokens(plain, of: kind.tokenizer)
        try check(plain, of: text, kind)

        let ids = kind.tokenizer.encode(text, addSpecialTokens: false)
        try checkTokens(ids, of: kind.tokenizer)
        try check(ids, of: text, kind)
        let scalars = text.unicodeScalars
        let cut = scalars.index(scalars.startIndex, offsetBy: scalars.count / 2)
        let runs = [scalars[..<cut], scalars[cut...]].map { TextRun(text: String($0), isTrusted: true) }
        try BrokenInvariant.check(
            kind.tokenizer.encode(runs, addSpecialTokens: false) == ids, "\(kind.name): a cut changes the ids")
    }

    private static func check(_ ids: [Int32], of text: String, _ kind: Kind) throws(BrokenInvariant) {
        let decoded = Array(kind.tokenizer.decode(ids, skipSpecialTokens: false).utf8)
        try BrokenInvariant.check(stream(ids, of: kind.tokenizer) == decoded, "\(kind.name): streams something else")
        if kind.isLossless {
            try BrokenInvariant.check(decoded == Array(text.utf8), "\(kind.name): another text comes back")
        }
    }

    private static func checkTokens(_ ids: [Int32], of tokenizer: Tokenizer) throws(BrokenInvariant) {
        let areTokens = ids.allSatisfy { tokenizer.token(of: $0) != nil }
        try BrokenInvariant.check(areTokens, "an id without a token")
    }

    private static func stream(_ ids: [Int32], of tokenizer: Tokenizer) -> [UInt8] {
        var detokenizer = IncrementalDetokenizer(tokenizer: tokenizer, skipSpecialTokens: false)
        return ids.flatMap { detokenizer.append($0) } + detokenizer.flush()
    }

    private static let sampleText = "the ab <s>x</s> 123456\r\n\t  é e\u{301} 日本 👨\u{200D}👩 \u{0}▁<0x41>it's A  "

    private struct Kind {
        let name: String
        let tokenizer: Tokenizer
        /// Byte-level, with a normalizer that changes nothing and without a prefix.
        let isLossless: Bool
    }

    /// The tokenizers of the vectors; the first byte of an input selects one.
    private static let kinds: [Kind] = {
        let lossless = [
            "trinity_like", "trinity_zerowidth", "llama3_like", "deepseek_v3_like", "deepseek_coder_like",
            "tekken_like",
        ]
        let lossy = [
            "gpt2_like", "qwen_like", "gemma_like", "llama2_spm_like", "mistral_metaspace_like", "flags_torture",
        ]
        return (lossless + lossy).compactMap { name in
            let url = Fixtures.root.appending(path: "text/tokenizers/\(name)/tokenizer.json")
            return (try? Tokenizer(contentsOf: url)).map {
                Kind(name: name, tokenizer: $0, isLossless: lossless.contains(name))
            }
        }
    }()
}
