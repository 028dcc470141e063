import Foundation
import JSON
import TestSupport
import Testing
import Tokenizers

@Suite struct TokenizerTests {
    @Test(arguments: TokenizerVectors.kinds)
    func `texts have the ids of the reference`(kind: String) throws {
        let vectors = try TokenizerVectors(kind: kind)
        let tokenizer = vectors.tokenizer
        #expect(vectors.cases.count > 200)
        for test in vectors.cases {
            #expect(tokenizer.encode(test.text, addSpecialTokens: true) == test.ids, "\(test.name)")
            let plain = tokenizer.encode(test.text, addSpecialTokens: false)
            #expect(plain == test.idsWithoutSpecialTokens, "\(test.name)")
            let asText = tokenizer.encode(test.text, addSpecialTokens: false, specialTokensAsText: true)
            #expect(asText == test.idsOfSpecialTokensAsText, "\(test.name)")
        }
    }

    @Test func `the chat model encodes and decodes its reference texts`() throws {
        let tokenizer = try Tokenizer(contentsOf: Fixtures.chatModel.appending(path: "tokenizer.json"))
        let goldens = try #require(try Fixtures.json("model/trinity-tiny-goldens.json")["cases"]?.array)
        #expect(goldens.count > 10)
        for golden in goldens {
            let isChat = golden["rendered"] != nil
            let prompt = try #require((golden["rendered"] ?? golden["prompt"])?.string)
            #expect(tokenizer.encode(prompt, addSpecialTokens: !isChat) == ids(golden["prompt_ids"]))
            let greedy = tokenizer.decode(ids(golden["greedy_ids_64"]), skipSpecialTokens: false)
            #expect(sameBytes(greedy, golden["decoded_64"]?.string ?? "?"))
            let answer = tokenizer.decode(ids(golden["until_eos_ids"]), skipSpecialTokens: true)
            #expect(sameBytes(answer, golden["decoded_until_eos"]?.string ?? "?"))
        }
        #expect(tokenizer.vocabularySize == 3072)
    }

    @Test func `tokens are found by content and by id`() throws {
        let tokenizer = try TokenizerVectors(kind: "trinity_like").tokenizer
        for id in 0..<Int32(tokenizer.vocabularySize) {
            let content = try #require(tokenizer.token(of: id))
            #expect(tokenizer.id(of: content) == id)
        }
        #expect(tokenizer.id(of: "<|im_end|>") == 3)
        #expect(tokenizer.isSpecial(3))
        let think = try #require(tokenizer.id(of: "<think>"))
        #expect(!tokenizer.isSpecial(think))
        #expect(tokenizer.bytes(of: think, skipSpecialTokens: true) == Array("<think>".utf8))
        #expect(tokenizer.bytes(of: 3, skipSpecialTokens: false) == Array("<|im_end|>".utf8))
        #expect(tokenizer.bytes(of: 3, skipSpecialTokens: true) == [])
        #expect(tokenizer.id(of: "no such token") == nil)
    }

    @Test func `a long word and a long number are encoded quickly`() throws {
        let tokenizer = try TokenizerVectors(kind: "trinity_like").tokenizer
        for text in [String(repeating: "ther", count: 50_000), String(repeating: "1", count: 200_000)] {
            let start = ContinuousClock.now
            let ids = tokenizer.encode(text, addSpecialTokens: false)
            #expect(ContinuousClock.now - start < .seconds(20))
            #expect(ids.count <= text.utf8.count)
            #expect(tokenizer.decode(ids, skipSpecialTokens: false) == text)
        }
    }

    private func ids(_ json: JSONValue?) -> [Int32] {
        json?.array?.compactMap { $0.integer.map { Int32($0) } } ?? []
    }
}
