import Foundation
import JSON
import TestSupport
import Testing
import Tokenizers

@testable import Engine

/// Tokenizers that are made from the metadata of a GGUF file alone.
struct EmbeddedTextTests {
    @Test(arguments: ["trinity_like", "llama3_like"])
    func `ids and texts are those of the tokenizer that was converted`(kind: String) throws {
        let folder = "low-bit/tokenizers/\(kind)"
        let text = try #require(try EmbeddedText(model: Fixtures.root.appending(path: "\(folder)/vocab.gguf")))
        let tokenizer = try text.tokenizer(guarding: [])
        let cases = try #require(try Fixtures.json("\(folder)/vectors.json")["cases"]?.array)
        #expect(cases.count > 200)
        for entry in cases {
            let name = entry["name"]?.string ?? ""
            let ids = (entry["ids"]?.array ?? []).compactMap { $0.integer.map(Int32.init) }
            let input = try #require(entry["text"]?.string)
            #expect(tokenizer.encode(input, addSpecialTokens: false) == ids, "\(name)")
            let decoded = try #require(entry["decoded"]?.string)
            #expect(tokenizer.decode(ids, skipSpecialTokens: false).utf8.elementsEqual(decoded.utf8), "\(name)")
        }
    }

    @Test func `the template and the special tokens are in the file`() throws {
        let url = Fixtures.root.appending(path: "low-bit/tokenizers/trinity_like/vocab.gguf")
        let text = try #require(try EmbeddedText(model: url))
        #expect(text.chatTemplate?.hasPrefix("{{ bos_token }}") == true)
        #expect(text.specialTokens.first { $0.name == "bos_token" }?.text == "<|begin_of_text|>")
        let tokenizer = try text.tokenizer(guarding: [])
        // Untrusted text never becomes a special token, and rows without a token are nothing.
        #expect(!tokenizer.encode("<|im_end|>", addSpecialTokens: false, specialTokensAsText: true).contains(3))
        #expect(tokenizer.decode([4737], skipSpecialTokens: false).isEmpty)
        #expect(tokenizer.encode("[PAD4737]", addSpecialTokens: false).contains(4737) == false)
    }

    @Test func `a plain prompt gets the token that the file says`() throws {
        let url = Fixtures.root.appending(path: "low-bit/tokenizers/llama3_like/vocab.gguf")
        let tokenizer = try #require(try EmbeddedText(model: url)).tokenizer(guarding: [])
        #expect(tokenizer.encode("", addSpecialTokens: true) == [2990])
    }

    @Test func `a model without a tokenizer has none`() throws {
        #expect(try EmbeddedText(model: Fixtures.root.appending(path: "low-bit/model/gguf_q4_0")) == nil)
        #expect(try EmbeddedText(model: Fixtures.chatModel) == nil)
    }
}
