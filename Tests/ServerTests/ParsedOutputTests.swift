import Engine
import Foundation
import JSON
import Scheduling
import TestSupport
import Testing

@testable import Server

/// Reasoning and tool calls in replies of the chat model, whole and streamed.
@Suite struct ParsedOutputTests {
    private static let question: JSONValue = [
        "messages": [["role": "user", "content": "What is 12 + 30?"]], "temperature": 0,
    ]
    private static let weather: JSONValue = [
        "messages": [["role": "user", "content": "What is the weather in Paris?"]], "temperature": 0,
        "tools": [
            [
                "type": "function",
                "function": [
                    "name": "get_weather", "description": "Get the weather of a city",
                    "parameters": ["type": "object", "properties": ["city": ["type": "string"]]],
                ],
            ]
        ],
    ]

    private func ask(
        _ server: TestServer, _ body: JSONValue, _ members: JSONObject = [:]
    ) async throws -> JSONValue {
        var object = try #require(body.object)
        for (name, value) in members { object[name] = value }
        let reply = try await server.post("/v1/chat/completions", .object(object))
        #expect(reply.status == 200, "\(reply.json)")
        return reply.json
    }

    @Test func `reasoning is separate from the content, and its tokens are counted`() async throws {
        let server = try await TestServer.start()
        let reply = try await ask(server, Self.question, ["return_token_ids": true])
        let message = try #require(reply["choices"]?[0]?["message"])
        #expect(message["content"] == "12 + 30 = 42.")
        #expect(message["reasoning"]?.string?.hasPrefix("ones: 2 + 0 = 2") == true)
        #expect(message["reasoning_content"] == message["reasoning"])
        // Up to the id of </think>.
        let ids = try #require(reply["choices"]?[0]?["token_ids"]?.array)
        let end = try #require(ids.firstIndex(of: 5))
        #expect(reply["usage"]?["completion_tokens_details"]?["reasoning_tokens"] == .integer(end + 1))

        let hidden = try await ask(server, Self.question, ["include_reasoning": false])
        #expect(hidden["choices"]?[0]?["message"]?.object?["reasoning"] == nil)
        #expect(hidden["choices"]?[0]?["message"]?["content"] == "12 + 30 = 42.")
        let none = try await ask(server, Self.question, ["reasoning_effort": "none"])
        #expect(none["choices"]?[0]?["message"]?.object?["reasoning"] == nil)
        #expect(none["usage"]?["completion_tokens_details"]?["reasoning_tokens"] == 0)
        let cut = try await ask(server, Self.question, ["max_tokens": 10])
        #expect(cut["choices"]?[0]?["message"]?["content"] == "")
        #expect(cut["choices"]?[0]?["finish_reason"] == "length")
        #expect(cut["usage"]?["completion_tokens_details"]?["reasoning_tokens"] == 10)
        await server.stop()
    }

    @Test func `reasoning ends when its budget is used up, with and without draft tokens`() async throws {
        var replies: [JSONValue] = []
        for draftTokens in [nil, 4] {
            let server = try await TestServer.start { $0.engine.speculativeTokens = draftTokens }
            for budget in [0, 5] {
                let reply = try await ask(
                    server, Self.question,
                    ["thinking_token_budget": .integer(budget), "return_token_ids": true, "logprobs": true])
                let ids = try #require(reply["choices"]?[0]?["token_ids"]?.array)
                // <think>, the budget, </think>
                #expect(ids.firstIndex(of: 5) == budget + 1)
                replies.append(try #require(reply["choices"]))
            }
            await server.stop()
        }
        #expect(replies[0] == replies[2] && replies[1] == replies[3])
    }

    @Test func `a model without reasoning has no thinking budget`() async throws {
        let server = try await TestServer.start { $0.reasoningParser = .none }
        var object = try #require(Self.question.object)
        object["thinking_token_budget"] = 5
        let reply = try await server.post("/v1/chat/completions", .object(object))
        #expect(reply.status == 400 && reply.json["error"]?["param"] == "thinking_token_budget")
        // Then everything is content.
        let plain = try await ask(server, Self.question)
        #expect(plain["choices"]?[0]?["message"]?["content"]?.string?.hasPrefix("<think>") == true)
        await server.stop()
    }

    /// A copy of the chat model whose tags are special tokens.
    private func modelWithSpecialTags(in folder: URL) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: Fixtures.chatModel.path) {
            let file = Fixtures.chatModel.appending(path: name)
            guard name == "tokenizer.json" else {
                try FileManager.default.createSymbolicLink(
                    at: folder.appending(path: name), withDestinationURL: file)
                continue
            }
            var json = try #require(JSONValue(parsing: String(contentsOf: file, encoding: .utf8)).object)
            json["added_tokens"] = .array(
                (json["added_tokens"]?.array ?? []).map { token in
                    var token = token.object ?? [:]
                    token["special"] = true
                    return .object(token)
                })
            try Data(JSONValue.object(json).serialized).write(to: folder.appending(path: name))
        }
    }

    @Test func `tags may be special tokens`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tags-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try modelWithSpecialTags(in: folder)
        let server = try await TestServer.start(model: folder) { $0.servedModelNames = ["trinity-tiny"] }
        let reply = try await ask(server, Self.question)
        #expect(reply["choices"]?[0]?["message"]?["content"] == "12 + 30 = 42.")
        #expect(reply["choices"]?[0]?["message"]?["reasoning"]?.string?.hasPrefix("ones:") == true)
        let call = try await ask(server, Self.weather)
        #expect(call["choices"]?[0]?["message"]?["tool_calls"]?[0]?["function"]?["name"] == "get_weather")
        await server.stop()
    }

    @Test func `a tool call is not content`() async throws {
        let server = try await TestServer.start()
        let reply = try await ask(server, Self.weather)
        let choice = try #require(reply["choices"]?[0])
        #expect(choice["finish_reason"] == "tool_calls" && choice["message"]?["content"] == "")
        let calls = try #require(choice["message"]?["tool_calls"]?.array)
        #expect(calls.count == 1 && calls[0]["type"] == "function")
        #expect(calls[0]["function"] == ["name": "get_weather", "arguments": "{\"city\": \"Paris\"}"])
        #expect(calls[0]["id"]?.string?.hasPrefix("call_") == true)

        let single = try await ask(server, Self.weather, ["parallel_tool_calls": false])
        #expect(single["choices"]?[0]?["finish_reason"] == "tool_calls")
        #expect(single["choices"]?[0]?["stop_reason"] == .null)
        #expect(single["choices"]?[0]?["message"]?["tool_calls"]?[0]?["function"] == calls[0]["function"])
        // Hidden tools are not called.
        let none = try await ask(server, Self.weather, ["tool_choice": "none"])
        #expect(none["choices"]?[0]?["message"]?.object?["tool_calls"] == nil)

        var streamed = try #require(Self.weather.object)
        streamed["stream"] = true
        let chunks = try await server.post("/v1/chat/completions", .object(streamed)).chunks
        var joined = ParsedOutput()
        for chunk in chunks {
            let delta = chunk["choices"]?[0]?["delta"]
            if let text = delta?["reasoning"]?.string { joined.add([.reasoning(text)]) }
            if let text = delta?["content"]?.string, !text.isEmpty { joined.add([.content(text)]) }
            for call in delta?["tool_calls"]?.array ?? [] {
                if let name = call["function"]?["name"]?.string { joined.add([.call(index: 0, name: name)]) }
                joined.add([.arguments(index: 0, call["function"]?["arguments"]?.string ?? "")])
            }
        }
        let call = OutputItem(kind: .call(index: 0, name: "get_weather"), text: "{\"city\": \"Paris\"}")
        #expect(joined.items.last == call && joined.items.count == 2)
        #expect(joined.content == "" && joined.reasoning == choice["message"]?["reasoning"]?.string)
        #expect(chunks.last?["choices"]?[0]?["finish_reason"] == "tool_calls")
        await server.stop()
    }
}
