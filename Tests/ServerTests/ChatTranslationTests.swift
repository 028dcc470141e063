import Engine
import JSON
import Scheduling
import TestSupport
import Testing

@testable import Server

/// Requests of the Messages and the Responses API as chats.
@Suite struct ChatTranslationTests {
    private func message(_ json: String) throws -> ChatTranslation {
        try MessagesRequest.translate(JSONValue(parsing: json), for: .sample)
    }

    private func response(_ json: String) throws -> ChatTranslation {
        try ResponsesRequest.translate(JSONValue(parsing: json), for: .sample)
    }

    private func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }

    /// The body of the equivalent chat completion request, without its tools.
    private func asBody(_ request: ChatTranslation) -> JSONObject {
        var body = request.body
        body["messages"] = .array(request.messages.map(\.json))
        return body
    }

    @Test func `a Messages conversation is translated to a chat`() throws {
        let request = try message(
            #"""
            {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"}],
             "messages": [
              {"role": "user", "content": [{"type": "text", "text": "q"}]},
              {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "text", "text": "c"},
                {"type": "tool_use", "id": "1", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "2", "name": "g", "input": {}}]},
              {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "r"}]},
                {"type": "tool_result", "tool_use_id": "2", "is_error": true, "content": "broken"},
                {"type": "text", "text": "and?"}]}],
             "max_tokens": 5, "stop_sequences": ["x"], "top_k": 3, "seed": 4,
             "tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": true}],
             "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
             "thinking": {"type": "enabled", "budget_tokens": 9}, "output_config": {"effort": "low"}}
            """#)
        let expected = try json(
            #"""
            {"messages": [
              {"role": "system", "content": "a\nb"}, {"role": "user", "content": "q"},
              {"role": "assistant", "content": "c", "reasoning": "t", "reasoning_content": "t", "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}},
                {"id": "2", "type": "function", "function": {"name": "g", "arguments": {}}}]},
              {"role": "tool", "tool_call_id": "1", "content": "r"},
              {"role": "tool", "tool_call_id": "2", "content": "Error: broken"},
              {"role": "user", "content": "and?"}],
             "top_k": 3, "seed": 4, "max_tokens": 5, "stop": ["x"],
             "reasoning": {"max_tokens": 9}, "chat_template_kwargs": {"enable_thinking": true}, "include_reasoning": true,
             "reasoning_effort": "low"}
            """#)
        #expect(sorted(.object(asBody(request))) == sorted(expected))
        let tool = try json(
            #"{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}}"#)
        #expect(request.tools.definitions == [tool] && request.tools.namedTool == "f")
        #expect(!request.tools.callsInParallel)
    }

    @Test func `the last message of the assistant is continued`() throws {
        let request = try message(
            #"{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "It"}], "max_tokens": 1}"#
        )
        #expect(request.body["continue_final_message"] == true)
    }

    @Test func `max_output_tokens is reduced to the remaining context`() throws {
        let request = try ChatCompletionRequest(response(#"{"input": "q", "max_output_tokens": 100}"#), for: .sample)
        var random = SeededGenerator(seed: 1)
        let sequences = try request.options.generationRequests(
            promptIDs: [[Int32](repeating: 1, count: ServedModel.sample.maxModelLength - 10)], firstID: SequenceID(1),
            endpoint: .responses, model: .sample, using: &random)
        #expect(sequences.map(\.maxTokens) == [10])
    }

    @Test(arguments: [
        #"" ""#, "\"\"", #"[{"type": "tool_use", "id": "1", "name": "f", "input": {}}]"#,
    ])
    func `a last message without text is not continued`(content: String) throws {
        let body = #"{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": \#(content)}]}"#
        let request = try MessagesRequest.translate(JSONValue(parsing: body), for: .sample, counts: true)
        #expect(request.body["continue_final_message"] == nil)
        #expect(try ChatCompletionRequest(request, for: .sample).addsGenerationPrompt)
        let chat: JSONObject = [
            "messages": [["role": "user", "content": "q"], ["role": "assistant", "content": " \n"]],
            "continue_final_message": true,
        ]
        let error = #expect(throws: APIError.self) { try ChatCompletionRequest(.object(chat), for: .sample) }
        #expect(error?.param == "continue_final_message")
    }

    @Test func `an error of stop_sequences names it`() throws {
        let long = String(repeating: "x", count: 5000)
        let turn = #""messages": [{"role": "user", "content": "q"}], "max_tokens": 1"#
        let error = #expect(throws: APIError.self) { try message("{\(turn), \"stop_sequences\": [\"\(long)\"]}") }
        #expect(error?.param == "stop_sequences" && error?.message.contains("4096 bytes, not 5000") == true)
    }

    @Test func `encrypted reasoning of other servers is reported by one name`() throws {
        let body: JSONObject = [
            "messages": [
                ["role": "user", "content": "q"],
                [
                    "role": "assistant",
                    "content": [["type": "redacted_thinking", "data": "x"], ["type": "text", "text": "a"]],
                ],
            ],
            "max_tokens": 1,
        ]
        let names = ["messages.content.redacted_thinking"]
        #expect(try ChatCompletionRequest(.object(body), for: .lenient).ignored.names == names)
        #expect(try MessagesRequest.translate(.object(body), for: .lenient).policy.ignored.names == names)
    }

    @Test func `reasoning is shown only on request`() throws {
        for (thinking, shows, enables) in [
            ("null", false, nil), (#"{"type": "disabled"}"#, false, false), (#"{"type": "adaptive"}"#, true, true),
            (#"{"type": "adaptive", "display": "omitted"}"#, false, true),
        ] as [(String, JSONValue, JSONValue?)] {
            let request = try message(
                #"{"messages": [{"role": "user", "content": "q"}], "max_tokens": 1, "thinking": \#(thinking)}"#)
            #expect(request.body["include_reasoning"] == shows, "\(thinking)")
            #expect(request.body["chat_template_kwargs"]?["enable_thinking"] == enables, "\(thinking)")
        }
    }

    @Test func `items of one turn become one message`() throws {
        let request = try response(
            #"""
            {"instructions": "i", "input": [
              {"role": "user", "content": [{"type": "input_text", "text": "q"}]},
              {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "t"}]},
              {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
               "content": [{"type": "output_text", "text": "c", "annotations": [], "logprobs": []}]},
              {"type": "function_call", "id": "fc_1", "call_id": "1", "name": "f", "arguments": "{}"},
              {"type": "function_call", "call_id": "2", "name": "f", "arguments": "{}"},
              {"type": "function_call_output", "call_id": "1", "output": "r"},
              {"type": "function_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "s"}]},
              {"role": "assistant", "content": "d"}, {"role": "assistant", "content": "e"}],
             "max_output_tokens": 7, "reasoning": {"effort": "high", "summary": "auto"}, "store": false,
             "tools": [{"type": "function", "name": "f", "parameters": null, "strict": null}], "tool_choice": "required"}
            """#)
        let expected = try json(
            #"""
            {"messages": [
              {"role": "system", "content": "i"}, {"role": "user", "content": "q"},
              {"role": "assistant", "content": "c", "reasoning": "t", "reasoning_content": "t", "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}},
                {"id": "2", "type": "function", "function": {"name": "f", "arguments": {}}}]},
              {"role": "tool", "tool_call_id": "1", "content": "r"}, {"role": "tool", "tool_call_id": "2", "content": "s"},
              {"role": "assistant", "content": "d"}, {"role": "assistant", "content": "e"}],
             "max_tokens": 7, "reasoning_effort": "high"}
            """#)
        #expect(sorted(.object(asBody(request))) == sorted(expected))
        #expect(request.tools.definitions == [["type": "function", "function": ["name": "f"]]])
        #expect(request.tools.choice == .required)
    }

    @Test func `unsupported parameters are refused with the names of the API`() throws {
        let turn = #""messages": [{"role": "user", "content": "q"}]"#
        for (body, param) in [
            ("{\(turn)}", "max_tokens"), (#"{"messages": [], "max_tokens": 1}"#, "messages"),
            ("{\(turn), \"max_tokens\": 1, \"n\": 2}", "n"),
            ("{\(turn), \"max_tokens\": 1, \"stop_sequences\": [\"\"]}", "stop_sequences"),
            ("{\(turn), \"max_tokens\": 1, \"tools\": [{\"type\": \"bash\", \"name\": \"b\"}]}", "tools[0].type"),
            (
                "{\(turn), \"max_tokens\": 1, \"tool_choice\": {\"type\": \"tool\", \"name\": \"f\"}}",
                "tool_choice.name"
            ),
            ("{\(turn), \"max_tokens\": 1, \"thinking\": {\"type\": \"enabled\"}}", "thinking.budget_tokens"),
            (
                #"{"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}], "max_tokens": 1}"#,
                "messages[0].content[0]"
            ),
        ] {
            #expect { try message(body) } throws: { ($0 as? APIError)?.param == param }
        }
        for (body, param) in [
            ("{}", "input"), (#"{"input": []}"#, "input"), (#"{"input": "x", "store": true}"#, "store"),
            (#"{"input": "x", "previous_response_id": "resp_1"}"#, "previous_response_id"),
            (#"{"input": "x", "background": true}"#, "background"),
            (#"{"input": "x", "messages": []}"#, "messages"),
            (#"{"input": "x", "tools": [{"type": "web_search"}]}"#, "tools[0].type"),
            (#"{"input": "x", "include": ["file_search_call.results"]}"#, "include[0]"),
            (#"{"input": [{"type": "item_reference", "id": "x"}]}"#, "input[0].type"),
            (
                #"{"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}"#,
                "input[0].content[0]"
            ),
        ] {
            #expect { try response(body) } throws: { ($0 as? APIError)?.param == param }
        }
    }

    @Test func `a schema that cannot be enforced is reported with its path`() async throws {
        let text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        let model = ServedModel(
            name: "t", created: 0, vocabularySize: 3072, maxModelLength: 2048, hasTokenizer: true,
            hasChatTemplate: true, samplingDefaults: SamplingParameters())
        let schema = #"{"type": "array", "uniqueItems": true}"#
        for (endpoint, body, param) in [
            (
                .messages,
                #"{"messages": [{"role": "user", "content": "q"}], "max_tokens": 1, "output_config": {"format": {"type": "json_schema", "schema": \#(schema)}}}"#,
                "output_config.format.schema"
            ),
            (
                .responses,
                #"{"input": "q", "text": {"format": {"type": "json_schema", "name": "n", "schema": \#(schema)}}}"#,
                "text.format.schema"
            ),
        ] as [(Endpoint, String, String)] {
            #expect {
                try RequestPreparation(endpoint: endpoint, model: model, text: text).prepare(Array(body.utf8))
            } throws: {
                ($0 as? APIError)?.param == param
            }
        }
    }

    @Test func `the server supports both APIs, with errors in their forms`() async throws {
        let server = try await TestServer.start()
        let question = "What is 12 + 30?"
        let turns: JSONValue = [["role": "user", "content": .string(question)]]
        let message = try await server.post(
            "/v1/messages?beta=true", ["messages": turns, "max_tokens": 100, "temperature": 0])
        #expect(message.json["content"] == [["type": "text", "text": "12 + 30 = 42."]], "\(message.json)")
        let response = try await server.post("/v1/responses", ["input": .string(question), "temperature": 0])
        #expect(response.json["output"]?[1]?["content"]?[0]?["text"] == "12 + 30 = 42.", "\(response.json)")
        let count = try await server.post("/v1/messages/count_tokens", ["messages": turns])
        let usage = message.json["usage"]
        #expect(count.json["input_tokens"] == usage?["input_tokens"], "\(count.json)")
        // Most of the second prompt came from the cache, and is counted separately.
        let again = try await server.post("/v1/messages", ["messages": turns, "max_tokens": 100, "temperature": 0])
        let (fresh, cached) = (again.json["usage"]?["input_tokens"], again.json["usage"]?["cache_read_input_tokens"])
        #expect((cached?.integer ?? 0) > 0)
        #expect((fresh?.integer ?? 0) + (cached?.integer ?? 0) == count.json["input_tokens"]?.integer)

        let unknown = try await server.post("/v1/messages", ["model": "no", "messages": turns, "max_tokens": 1])
        #expect(unknown.status == 404 && unknown.json["error"]?["type"] == "not_found_error")
        #expect(unknown.json["request_id"]?.string?.isEmpty == false)
        let missing = try await server.post("/v1/responses", [:])
        #expect(missing.status == 400 && missing.json["error"]?["param"] == "input")
        await server.stop()
    }

    /// With members in the order of their names.
    private func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): .array(elements.map(sorted))
        case .object(let object):
            .object(
                object.sorted { $0.name < $1.name }.reduce(into: [:]) { $0[$1.name] = sorted($1.value) })
        default: value
        }
    }
}
