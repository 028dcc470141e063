import TestSupport
import Testing
import Text

@Suite struct TextRunTests {
    private func runs(_ parts: [(String, Bool)]) -> [TextRun] {
        parts.map { TextRun(text: $0.0, isTrusted: $0.1) }
    }

    @Test(arguments: TokenizerVectors.kinds)
    func `where the cuts are makes no difference within one trust`(kind: String) throws {
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

    @Test func `special tokens count in trusted runs only`() throws {
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

    @Test func `a special token that crosses a border is text`() throws {
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

    @Test func `words and merges go across borders`() throws {
        let tokenizer = try TokenizerVectors(kind: "trinity_like").tokenizer
        let text = "The quick brown fox, 1234567 times"
        let whole = tokenizer.encode(text, addSpecialTokens: true)
        for cut in text.indices {
            let cutRuns = runs([(String(text[..<cut]), true), ("", false), (String(text[cut...]), false)])
            #expect(tokenizer.encode(cutRuns, addSpecialTokens: true) == whole)
        }
        #expect(tokenizer.encode([], addSpecialTokens: false) == [])
    }

    @Test func `a normalizer that joins text across a border keeps the rest of the text`() throws {
        let tokenizer = try TokenizerVectors(kind: "qwen_like").tokenizer
        let cutRuns = runs([("cafe", true), ("\u{301} bar", false)])
        #expect(
            tokenizer.encode(cutRuns, addSpecialTokens: false) == tokenizer.encode("café bar", addSpecialTokens: false))
    }
}
