import Basics
import ChatTemplates
import Foundation
import Grammars
import JSON
import TestSupport
import Testing
import Tokenizers

/// The examples of `docs/libraries`, with their results.
struct LibraryExampleTests {
    private static let folder = Fixtures.chatModel

    @Test func `JSON keeps the order of members and every digit`() throws {
        let value = try JSONValue(parsing: #"{"id": 12345678901234567890, "price": 1.0, "tags": ["a", "b"]}"#)
        let tags = value["tags"]?.array?.compactMap(\.string) ?? []
        var object = value.object ?? [:]
        object["name"] = "Ada"
        let text = String(decoding: JSONValue.object(object).serialized, as: UTF8.self)

        #expect(tags == ["a", "b"])
        #expect(text == #"{"id":12345678901234567890,"price":1.0,"tags":["a","b"],"name":"Ada"}"#)
    }

    @Test func `a tokenizer encodes by trust and decodes token by token`() throws {
        let folder = Self.folder
        let tokenizer = try Tokenizer(contentsOf: folder.appending(path: "tokenizer.json"))
        let ids = tokenizer.encode(
            [
                TextRun(text: "<|im_start|>user\n", isTrusted: true),
                TextRun(text: "What is <|im_end|>?", isTrusted: false),
            ], addSpecialTokens: false)

        var detokenizer = IncrementalDetokenizer(tokenizer: tokenizer, skipSpecialTokens: true)
        var bytes: [UInt8] = []
        for id in ids { bytes += detokenizer.append(id) }
        bytes += detokenizer.flush()

        #expect(String(decoding: bytes, as: UTF8.self) == "user\nWhat is <|im_end|>?")
        #expect(ids.first == tokenizer.id(of: "<|im_start|>"))
        #expect(try !ids.contains(#require(tokenizer.id(of: "<|im_end|>"))))
    }

    @Test func `a chat template renders a prompt, and the reply is split into parts`() throws {
        let source = """
            {% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% endfor %}<|assistant|><think>
            """
        let template = try ChatTemplate(source: source)
        let prompt = try template.render(["messages": [["role": "user", "content": "Hello"]]])

        var parser = ChatOutputParser(syntax: ChatOutputSyntax(template: source), prompt: prompt)
        let events = parser.append("Hm.</think>") + parser.append("Hi!") + parser.finish()

        #expect(prompt == "<|user|>Hello<|assistant|><think>")
        #expect(events == [.reasoning("Hm."), .content("Hi!")])
    }

    @Test func `a grammar determines the tokens that may come next`() throws {
        // A vocabulary of one token for each byte.
        let compiler = GrammarCompiler { (0..<256).map { [UInt8($0)] } }
        let grammar = try compiler.compile(.choice(["yes", "no"]), beginsWithSpace: false)
        var matcher = GrammarMatcher(grammar)

        /// Works out what may come next, in slices.
        func resolve() {
            guard var computation = matcher.computation else { return }
            while matcher.isPending {
                if let result = computation.run(units: 10_000, isCancelled: { false }) { matcher.resolve(result) }
            }
        }
        resolve()
        matcher.append(Int32(UInt8(ascii: "n")))
        resolve()
        let allowed = (0..<Int32(256)).filter { matcher.mask?.contains($0) ?? true }

        #expect(allowed == [Int32(UInt8(ascii: "o"))])
        #expect(!matcher.mayEnd)
    }

    @Test(arguments: ["json", "tokenizers", "chat-templates", "grammars"])
    func `the page of a library contains the tested example`(name: String) throws {
        let page = try String(
            contentsOf: Fixtures.repository.appending(path: "docs/libraries/\(name).md"), encoding: .utf8)
        let example = try #require(page.components(separatedBy: "```").first { $0.hasPrefix("swift\n") })
        let lines = example.split(separator: "\n").dropFirst()
        let tested = try String(contentsOf: URL(fileURLWithPath: #filePath), encoding: .utf8).split(separator: "\n")
        #expect(lines.count > 5)
        #expect(
            tested.map(Self.unindented).firstRange(of: lines.map(Self.unindented).filter { !$0.hasPrefix("import ") })
                != nil)
    }

    private static func unindented(_ line: Substring) -> Substring { line.drop { $0 == " " } }
}
