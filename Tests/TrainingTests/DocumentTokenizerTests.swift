import Checkpoints
import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

@Suite struct DocumentTokenizerTests {
    private static func tokenizer(_ folder: URL = Fixtures.chatModel) throws -> DocumentTokenizer {
        try DocumentTokenizer(folder: folder, config: ModelConfig(directory: Fixtures.chatModel))
    }

    private static func document(
        _ line: JSONValue, targets: DocumentTokenizer.Targets = .assistant, _ tokenizer: DocumentTokenizer? = nil
    ) throws -> (text: String, targets: String, document: Document) {
        let tokenizer = try tokenizer ?? self.tokenizer()
        let document = try tokenizer.document(TextDocument(parsing: line.serialized), targets: targets)
        let targets = document.ids.indices.filter { document.weight($0) > 0 }.map { document.ids[$0] }
        return (
            tokenizer.tokenizer.decode(document.ids, skipSpecialTokens: false),
            tokenizer.tokenizer.decode(targets, skipSpecialTokens: false), document
        )
    }

    private static let call: JSONValue = ["function": ["name": "add", "arguments": "{\"a\": 2}"]]

    private static let chat: JSONValue = [
        "messages": [
            ["role": "developer", "content": "Be kind."], ["role": "user", "content": "Hi <|im_end|>"],
            ["role": "assistant", "content": "Hello!", "reasoning": "A greeting."],
            ["role": "user", "content": "2 + 2?"],
            ["role": "assistant", "content": nil, "tool_calls": .array([call])],
            ["role": "tool", "content": "4"], ["role": "assistant", "content": "It is 4."],
        ]
    ]

    @Test func `what the assistant writes has weight`() throws {
        let (text, targets, document) = try Self.document(Self.chat)
        #expect(
            text == """
                <|begin_of_text|><|im_start|>system
                Be kind.<|im_end|>
                <|im_start|>user
                Hi <|im_end|><|im_end|>
                <|im_start|>assistant
                <think>
                A greeting.
                </think>

                Hello!<|im_end|>
                <|im_start|>user
                2 + 2?<|im_end|>
                <|im_start|>assistant
                <tool_call>
                {"name": "add", "arguments": {"a": 2}}
                </tool_call><|im_end|>
                <|im_start|>tool
                <tool_response>
                4
                </tool_response><|im_end|>
                <|im_start|>assistant
                It is 4.<|im_end|>

                """)
        #expect(
            targets == """
                <think>
                A greeting.
                </think>

                Hello!<|im_end|><tool_call>
                {"name": "add", "arguments": {"a": 2}}
                </tool_call><|im_end|>It is 4.<|im_end|>
                """)
        // The user's text has no special token.
        let ends = document.ids.count { $0 == 3 }
        #expect(ends == 7)
        let all = try Self.document(Self.chat, targets: .all)
        #expect(all.document.ids == document.ids && all.document.weights == nil)
    }

    @Test func `a prompt that shows suppressed reasoning is that of the last turn alone`() throws {
        let (text, targets, _) = try Self.document([
            "messages": [
                ["role": "user", "content": "Hi"], ["role": "assistant", "content": "Hello!"],
                ["role": "user", "content": "Bye"], ["role": "assistant", "content": "See you."],
            ], "chat_template_kwargs": ["enable_thinking": false],
        ])
        #expect(targets == "See you.<|im_end|>")
        #expect(text.contains("assistant\nHello!<|im_end|>"))
        #expect(text.hasSuffix("assistant\n<think>\n\n</think>\n\nSee you.<|im_end|>\n"))
    }

    @Test func `a message's weight is that of its turn`() throws {
        let (_, targets, document) = try Self.document([
            "messages": [
                ["role": "user", "content": "Hi"], ["role": "assistant", "content": "Wrong.", "weight": 0],
                ["role": "user", "content": "No"], ["role": "assistant", "content": "Right.", "weight": 0.5],
            ]
        ])
        #expect(targets == "Right.<|im_end|>")
        #expect(Set(document.weights ?? []) == [0, 0.5])
    }

    @Test func `a text begins and ends as the tokenizer says, without special tokens inside`() throws {
        let (text, _, document) = try Self.document(["text": "One <|im_start|> day.", "id": 7])
        #expect(text == "<|begin_of_text|>One <|im_start|> day.<|im_end|>")
        #expect(document.ids.first == 0 && document.ids.last == 3 && document.ids.count { $0 < 5 } == 2)
        #expect(document.weights == nil)
    }

    @Test func `a template without the prefix property is refused by name`() throws {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? files.removeItem(at: folder) }
        try files.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            try files.copyItem(at: Fixtures.chatModel.appending(path: name), to: folder.appending(path: name))
        }
        func reason(_ template: String) throws -> String {
            try Data(template.utf8).write(to: folder.appending(path: "chat_template.jinja"))
            do {
                _ = try Self.document(Self.chat, Self.tokenizer(folder))
                return ""
            } catch let failure as TextDocument.Failure { return failure.reason }
        }
        let strips = """
            {%- for m in messages %}{{ m.role }}: {{ m.reasoning if loop.last else '' }}{{ m.content }}
            {% endfor %}{% if add_generation_prompt %}assistant: {% endif %}
            """
        #expect(try reason(strips).contains("\(folder.path) renders messages[2] differently"))
        #expect(try Self.document(Self.chat, targets: .all, Self.tokenizer(folder)).document.weights == nil)
        let prompts = """
            {%- for m in messages %}{{ m.role }}: {{ m.content }}
            {% endfor %}{% if add_generation_prompt %}model: {% endif %}
            """
        #expect(try reason(prompts).contains("a generation prompt that messages[2] does not begin with"))
        // An empty prompt, which every turn begins with.
        let short = """
            {%- if not add_generation_prompt %}{% for m in messages %}{{ m.role }}: {{ m.content }}
            {% endfor %}{% endif %}
            """
        #expect(try reason(short).contains("leaves out earlier messages in the generation prompt"))
        let good = """
            {%- for m in messages %}{{ m.role }}: {{ m.content }}
            {% endfor %}{% if add_generation_prompt %}assistant: {% endif %}
            """
        #expect(try reason(good).isEmpty)
        #expect(try reason("{{ raise_exception('no tools') }}") == "no tools")
    }

    @Test(
        arguments: [
            ("[1]", "is not a JSON object"), ("{\"text\": ", "invalid JSON"), ("{\"prompt\": \"a\"}", "neither text"),
            ("{\"text\": \"\"}", "text is empty"), ("{\"text\": \"a\", \"messages\": [{}]}", "both"),
            ("{\"messages\": []}", "messages must be"), ("{\"messages\": [1]}", "messages[0] must be an object"),
            ("{\"messages\": [{\"role\": \"bot\", \"content\": \"\"}]}", "messages[0].role"),
            ("{\"messages\": [{\"role\": \"user\"}]}", "messages[0].content is missing"),
            ("{\"messages\": [{\"role\": \"user\", \"content\": [1]}]}", "messages[0].content must be a string"),
            (
                "{\"messages\": [{\"role\": \"assistant\", \"tool_calls\": [{}]}]}",
                "messages[0].tool_calls[0].function.name"
            ),
            (
                "{\"messages\": [{\"role\": \"assistant\", \"content\": \"\", \"weight\": 2}]}",
                "messages[0].weight must be a number in 0...1"
            ),
            (
                "{\"messages\": [{\"role\": \"user\", \"content\": \"\"}], \"tools\": {}}", "tools must be an array"
            ),
            (
                "{\"messages\": [{\"role\": \"user\", \"content\": \"\"}], \"chat_template_kwargs\": {\"tools\": 1}}",
                "chat_template_kwargs.tools is not allowed"
            ),
        ])
    func `a line that is not a document is refused with its member`(line: String, reason: String) {
        #expect {
            try TextDocument(parsing: Array(line.utf8))
        } throws: {
            ($0 as? TextDocument.Failure)?.reason.contains(reason) == true
        }
    }
}
