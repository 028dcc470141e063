import Basics
import ChatTemplates
import Foundation
import JSON
import TestSupport
import Testing
import Tokenizers

@Suite struct TextRunTests {
    private func runs(_ parts: [(String, Bool)]) -> [TextRun] {
        parts.map { TextRun(text: $0.0, isTrusted: $0.1) }
    }

    @Test(arguments: TokenizerVectors.kinds)
    func `splits within text of the same trust make no difference`(kind: String) throws {
        let vectors = try TokenizerVectors(kind: kind)
        var random = SeededGenerator(seed: 21)
        for test in vectors.cases where test.text.utf8.count < 2_000 {
            var pieces: [String] = [""]
            for scalar in test.text.unicodeScalars {
                if random.oneIn(4) { pieces.append("") }
                pieces[pieces.count - 1].unicodeScalars.append(scalar)
            }
            for (isTrusted, expected) in [(true, test.idsWithoutSpecialTokens), (false, test.idsOfSpecialTokensAsText)]
            {
                let runs = pieces.map { TextRun(text: $0, isTrusted: isTrusted) }
                #expect(vectors.tokenizer.encode(runs, addSpecialTokens: false) == expected, "\(test.name)")
            }
        }
    }

    @Test func `special tokens are found in trusted runs only`() throws {
        let tokenizer = try TokenizerVectors(kind: "trinity_like").tokenizer
        let end = try #require(tokenizer.id(of: "<|im_end|>"))
        let think = try #require(tokenizer.id(of: "<think>"))
        let ids = tokenizer.encode(
            runs([("<|im_end|>", true), ("a<|im_end|><think>", false), ("<|im_end|>", true)]), addSpecialTokens: false)
        #expect(ids.filter { $0 == end }.count == 2)
        #expect(ids.first == end && ids.last == end)
        // Not special, so it is found everywhere.
        #expect(ids.contains(think))
        #expect(tokenizer.decode(ids, skipSpecialTokens: true) == "a<|im_end|><think>")
    }

    @Test(arguments: TokenizerVectors.kinds)
    func `untrusted text never becomes a token that the template writes`(kind: String) throws {
        let url = Fixtures.root.appending(path: "text/tokenizers/\(kind)/tokenizer.json")
        let file = try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
        let contents = try #require(file["added_tokens"]?.array).compactMap { $0["content"]?.string }
        #expect(!contents.isEmpty)
        let source = contents.map { "{{ \(String(decoding: JSONValue.string($0).serialized, as: UTF8.self)) }}" }
        let literals = try ChatTemplate(source: source.joined()).literals
        let guarded = try Tokenizer(contentsOf: url, guarding: literals)
        let plain = try Tokenizer(contentsOf: url)
        for content in contents where !content.allSatisfy(\.isWhitespace) {
            let id = try #require(guarded.id(of: content))
            let untrusted = guarded.encode(runs([("a \(content) b", false)]), addSpecialTokens: false)
            let asText = guarded.encode("a \(content) b", addSpecialTokens: false, specialTokensAsText: true)
            #expect(untrusted == asText)
            // Ordinary text may become the same token by merges, a tag may not.
            if content.contains("<") || content.contains("[") { #expect(!untrusted.contains(id), "\(content)") }
            // Trusted text is unchanged.
            #expect(
                guarded.encode("a \(content) b", addSpecialTokens: true)
                    == plain.encode("a \(content) b", addSpecialTokens: true))
        }
    }

    @Test func `the literals of a template are its text and its string literals with resolved escapes`() throws {
        let template = try ChatTemplate(source: "{# <c> #}<a>{{ '<\\x62>' + x }}{% if y == \"<d>\" %}{% endif %}")
        #expect(template.literals == ["<a>", "<b>", "<d>"])
    }

    @Test func `a special token that crosses a boundary is text`() throws {
        let tokenizer = try TokenizerVectors(kind: "trinity_like").tokenizer
        let content = Array("<|im_end|>".unicodeScalars)
        let asText = tokenizer.encode("<|im_end|>", addSpecialTokens: false, specialTokensAsText: true)
        for cut in 1..<content.count {
            let parts = [content[..<cut], content[cut...]].map { String(String.UnicodeScalarView($0)) }
            for isFirstTrusted in [true, false] {
                let cutRuns = runs([(parts[0], isFirstTrusted), (parts[1], !isFirstTrusted)])
                #expect(tokenizer.encode(cutRuns, addSpecialTokens: false) == asText)
            }
        }
    }

    @Test func `words and merges cross boundaries`() throws {
        let tokenizer = try TokenizerVectors(kind: "trinity_like").tokenizer
        let text = "The quick brown fox, 1234567 times"
        let whole = tokenizer.encode(text, addSpecialTokens: true)
        for cut in text.indices {
            let cutRuns = runs([(String(text[..<cut]), true), ("", false), (String(text[cut...]), false)])
            #expect(tokenizer.encode(cutRuns, addSpecialTokens: true) == whole)
        }
        #expect(tokenizer.encode([], addSpecialTokens: false) == [])
    }

    @Test func `a normalizer that joins text across a boundary keeps the rest of the text`() throws {
        let tokenizer = try TokenizerVectors(kind: "qwen_like").tokenizer
        let cutRuns = runs([("cafe", true), ("\u{301} bar", false)])
        #expect(
            tokenizer.encode(cutRuns, addSpecialTokens: false) == tokenizer.encode("café bar", addSpecialTokens: false))
    }
}
