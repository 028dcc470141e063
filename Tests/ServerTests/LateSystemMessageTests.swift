import Engine
import Foundation
import JSON
import TestSupport
import Testing

@testable import Server

/// System messages behind the beginning of a conversation, for templates that do and do not take them.
@Suite struct LateSystemMessageTests {
    /// Raises, as templates of instruction models do.
    private static let refusing = """
        {%- for m in messages -%}
        {%- if m.role == 'system' and not loop.first -%}{{ raise_exception('system only at the start') }}{%- endif -%}
        {%- if not loop.first and m.role == messages[loop.index0 - 1].role -%}{{ raise_exception('not in turn') }}{%- endif -%}
        [{{ m.role }}]{{ m.content }}
        {%- endfor -%}
        """
    /// Leaves them out.
    private static let dropping = """
        {%- for m in messages -%}
        {%- if m.role != 'system' or loop.first -%}[{{ m.role }}]{{ m.content }}{%- endif -%}
        {%- endfor -%}
        """
    private static let taking = "{%- for m in messages -%}[{{ m.role }}]{{ m.content }}{%- endfor -%}"

    private static let conversation: JSONValue = [
        ["role": "system", "content": "a"], ["role": "developer", "content": "b"], ["role": "user", "content": "c"],
        ["role": "system", "content": "d"], ["role": "assistant", "content": "e"], ["role": "system", "content": "f"],
        ["role": "system", "content": "g"], ["role": "user", "content": "h"],
    ]

    private func tag(_ text: String) -> String { "<system-reminder>\n\(text)\n</system-reminder>" }

    private func model(isStrict: Bool = false) -> ServedModel {
        var model = ServedModel.sample
        model.refusesUnknownParameters = isStrict
        model.vocabularySize = 3072
        model.maxModelLength = 2048
        return model
    }

    private func prompt(
        _ messages: JSONValue, _ template: String, isStrict: Bool = false
    ) throws -> (text: String, ignored: [String]) {
        let pipeline = try TextPipeline.sample(template: template)
        let model = model(isStrict: isStrict)
        let request = try pipeline.adapted(ChatCompletionRequest(["messages": messages], for: model), for: model)
        return (try pipeline.render(request).map(\.text).joined(), request.ignored.names)
    }

    @Test func `a template that takes them shows them where they are`() throws {
        let (text, ignored) = try prompt(Self.conversation, Self.taking)
        #expect(text == "[system]a[system]b[user]c[system]d[assistant]e[system]f[system]g[user]h")
        #expect(ignored == [])
        #expect(try prompt(Self.conversation, Self.taking, isStrict: true).text == text)
    }

    @Test(arguments: [refusing, dropping])
    func `for another they are a part of the user's turn, which is told`(template: String) throws {
        let (text, ignored) = try prompt(Self.conversation, template)
        #expect(
            text == "[system]a\nb[user]c\n\(tag("d"))[assistant]e[user]\(tag("f"))\n\(tag("g"))\nh")
        #expect(ignored == ["messages.role"])
    }

    @Test func `they are a turn of their own where there is no user's`() throws {
        let messages: JSONValue = [
            ["role": "user", "content": "a"], ["role": "assistant", "content": "b"],
            ["role": "system", "content": "c"],
            ["role": "assistant", "content": "d"], ["role": "system", "content": "e"],
        ]
        #expect(
            try prompt(messages, Self.refusing).text
                == "[user]a[assistant]b[user]\(tag("c"))[assistant]d[user]\(tag("e"))")
    }

    @Test(arguments: [refusing, dropping])
    func `one at the beginning stays what it is`(template: String) throws {
        let messages: JSONValue = [["role": "system", "content": "a"], ["role": "user", "content": "b"]]
        let (text, ignored) = try prompt(messages, template, isStrict: true)
        #expect(text == "[system]a[user]b" && ignored == [])
    }

    @Test(arguments: [refusing, dropping])
    func `a strict server refuses what its template does not take`(template: String) throws {
        let error = #expect(throws: APIError.self) { try prompt(Self.conversation, template, isStrict: true) }
        #expect(error?.status == .badRequest && error?.param == "messages")
        #expect(error?.message.contains("only at the beginning") == true)
    }

    @Test func `users cannot write special tokens into a message that was joined with theirs`() throws {
        let pipeline = try TextPipeline.sample(template: Self.refusing)
        let messages: JSONValue = [
            ["role": "user", "content": "<|im_end|>"], ["role": "system", "content": "<|im_end|>"],
        ]
        let request = try pipeline.adapted(ChatCompletionRequest(["messages": messages], for: model()), for: model())
        #expect(try pipeline.render(request).filter { $0.text.contains("im_end") }.allSatisfy { !$0.isTrusted })
    }

    @Test func `a template that shows no conversation at all is left alone`() throws {
        let pipeline = try TextPipeline.sample(template: "{{ raise_exception('no') }}")
        #expect(pipeline.readsLateSystemMessages)
    }

    @Test func `every endpoint does the same`() throws {
        let pipeline = try TextPipeline.sample(template: Self.refusing)
        let late: JSONValue = [
            "messages": [
                ["role": "user", "content": "a"], ["role": "assistant", "content": "b"],
                ["role": "system", "content": "c"], ["role": "user", "content": "d"],
            ],
            "input": [
                ["role": "user", "content": "a"], ["role": "assistant", "content": "b"],
                ["role": "system", "content": "c"], ["role": "user", "content": "d"],
            ],
            "max_tokens": 5,
        ]
        for (endpoint, name) in [(.chat, "messages"), (.messages, "messages"), (.responses, "input")]
            as [(Endpoint, String)]
        {
            var body = late.object ?? [:]
            body[endpoint == .responses ? "messages" : "input"] = nil
            if endpoint == .responses { body["max_tokens"] = nil }
            let preparation = RequestPreparation(endpoint: endpoint, model: model(), text: pipeline)
            let prepared = try preparation.prepare(.object(body))
            #expect(prepared.ignored.names == ["\(name).role"])
            let text = pipeline.tokenizer.decode(try #require(prepared.promptIDs.first), skipSpecialTokens: false)
            #expect(text.contains("[user]\(tag("c"))\nd"), "\(text)")
        }
        var counted = late.object ?? [:]
        counted["input"] = nil
        for endpoint in [TextEndpoint.tokenize, .chatPrompt, .messageTokens] {
            let reply = TextReply(endpoint: endpoint, model: model(), text: pipeline)
            #expect(throws: Never.self) { try reply.answer(JSONValue.object(counted).serialized) }
        }
    }
}
