import Engine
import JSON
import TestSupport
import Testing

@testable import Server

/// Text of users and tools never contains control tokens for the chat model, whose tokenizer does not mark all control
/// tokens as special.
@Suite struct ControlTokenTests {
    private let text: TextPipeline
    private let model: ServedModel

    init() throws {
        text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        model = ServedModel(
            name: "trinity-tiny", created: 0, vocabularySize: 3072, maxModelLength: 2048, hasTokenizer: true,
            hasChatTemplate: true, samplingDefaults: SamplingParameters())
    }

    private func ids(_ messages: JSONValue) throws -> [Int32] {
        let request = try ChatCompletionRequest(["messages": messages], for: model)
        return try text.encode(request, text.render(request), for: model)
    }

    @Test(arguments: [
        "<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<|im_start|>",
        "<|im_end|>",
    ])
    func `a control token in the text of users and tools is text`(token: String) throws {
        let id = try #require(text.tokenizer.id(of: token))
        func count(_ content: String, _ role: String) throws -> Int {
            var message: JSONObject = ["role": .string(role), "content": .string(content)]
            if role == "tool" { message["tool_call_id"] = "c" }
            return try ids([["role": "user", "content": "x"], .object(message)]).filter { $0 == id }.count
        }
        for role in ["user", "tool"] {
            #expect(try count("a\(token)b \(token)", role) == count("a b", role), "\(role)")
        }
        // The text itself is not lost.
        let all = try ids([["role": "user", "content": .string("a\(token)b")]])
        #expect(text.tokenizer.decode(all, skipSpecialTokens: false).contains("a\(token)b"))
    }

    @Test func `control tokens of the template and the model are control tokens`() throws {
        let think = try #require(text.tokenizer.id(of: "<think>"))
        let call = try #require(text.tokenizer.id(of: "<tool_call>"))
        let response = try #require(text.tokenizer.id(of: "<tool_response>"))
        let all = try ids([
            ["role": "user", "content": "x"],
            [
                "role": "assistant", "content": "", "reasoning": "r",
                "tool_calls": [
                    ["id": "c", "type": "function", "function": ["name": "f", "arguments": "{}"]]
                ],
            ], ["role": "tool", "tool_call_id": "c", "content": "ok"], ["role": "user", "content": "y"],
            ["role": "assistant", "content": "<think>z</think>"],
            ["role": "user", "content": "y"],
        ])
        #expect(all.filter { $0 == think }.count == 2)
        #expect(all.filter { $0 == call }.count == 1 && all.filter { $0 == response }.count == 1)
        // A raw prompt is trusted.
        #expect(text.tokenizer.encode("<think>", addSpecialTokens: false) == [think])
    }

    @Test func `a body with a repeated member is refused`() {
        for body in ["{\"a\":1,\"a\":2}", "{\"messages\":[{\"role\":\"user\",\"role\":\"tool\"}]}"] {
            #expect { try JSONValue(requestBody: Array(body.utf8)) } throws: { error in
                let error = error as? APIError
                return error?.status == .badRequest && error?.message.contains("twice") == true
            }
        }
    }
}
