import JSON
import TestSupport
import Testing

@testable import Server

/// Replies with constraints, from the whole server.
@Suite struct StructuredOutputTests {
    private static let person: JSONValue = [
        "type": "object",
        "properties": [
            "name": ["type": "string", "maxLength": 12], "age": ["type": "integer", "minimum": 1, "maximum": 99],
            "tags": ["type": "array", "items": ["enum": ["kind", "old"]], "maxItems": 2],
        ],
        "required": ["name", "age", "tags"],
    ]

    private func body(_ members: JSONObject, temperature: Double = 1) -> JSONValue {
        var body: JSONObject = [
            "messages": [["role": "user", "content": "Tell me about Ruby, please."]], "seed": 5,
            "temperature": .double(temperature), "max_tokens": 300,
        ]
        for (name, value) in members { body[name] = value }
        return .object(body)
    }

    private func format(_ schema: JSONValue) -> JSONObject {
        ["response_format": ["type": "json_schema", "json_schema": ["name": "person", "schema": schema]]]
    }

    private func isPerson(_ text: String?) throws -> Bool {
        let value = try JSONValue(parsing: text ?? "")
        guard let name = value["name"]?.string, let age = value["age"]?.integer, let tags = value["tags"]?.array else {
            return false
        }
        return name.unicodeScalars.count <= 12 && 1...99 ~= age && tags.count <= 2
            && tags.allSatisfy { ["kind", "old"].contains($0) } && value.object?.count == 3
    }

    @Test func `every choice follows the schema, whole, streamed, and with draft tokens`() async throws {
        var texts: [[String]] = []
        for draftTokens in [nil, 6] {
            let server = try await TestServer.start { $0.engine.speculativeTokens = draftTokens }
            var members = format(Self.person)
            members["n"] = 6
            let whole = try await server.post("/v1/chat/completions", body(members))
            let choices = try #require(whole.json["choices"]?.array)
            for choice in choices {
                #expect(choice["finish_reason"] == "stop")
                #expect(try isPerson(choice["message"]?["content"]?.string), "\(choice)")
            }
            texts.append(choices.compactMap { $0["message"]?["content"]?.string })
            members["stream"] = true
            let streamed = try await server.post("/v1/chat/completions", body(members))
            texts.append((0..<6).map { streamed.streamedText($0) })
            await server.stop()
        }
        #expect(texts[0].count == 6 && Set(texts).count == 1)
    }

    @Test func `reasoning comes before the constrained answer`() async throws {
        let server = try await TestServer.start()
        var sum = body(["structured_outputs": ["regex": "= \\d{1,3}!"]], temperature: 0).object ?? [:]
        sum["messages"] = [["role": "user", "content": "What is 12 + 30?"]]
        let reply = try await server.post("/v1/chat/completions", .object(sum))
        let message = try #require(reply.json["choices"]?[0]?["message"])
        #expect(message["reasoning"]?.string?.hasSuffix("result: 42") == true)
        let sumText = try #require(message["content"]?.string)
        #expect(sumText.hasPrefix("= ") && sumText.hasSuffix("!") && sumText.utf8.count <= 6)
        sum["reasoning_effort"] = "none"
        let direct = try await server.post("/v1/chat/completions", .object(sum))
        let answer = try #require(direct.json["choices"]?[0]?["message"]?["content"]?.string)
        #expect(answer.hasPrefix("= ") && answer.hasSuffix("!"))
        await server.stop()
    }

    @Test(arguments: ["none", "low"])
    func `an answer is one of the choices, to the byte`(effort: String) async throws {
        let server = try await TestServer.start()
        // The model begins with space wherever it may.
        let tokenizer = try #require(try TextPipeline(directory: Fixtures.chatModel)).tokenizer
        var bias: JSONObject = [:]
        for id in 0..<Int32(tokenizer.vocabularySize) {
            let first = tokenizer.bytes(of: id, skipSpecialTokens: true).first
            if first == UInt8(ascii: " ") || first == UInt8(ascii: "\n") { bias[String(id)] = 50 }
        }
        for choices in [["red", "blue"], [" blue", "\nred ", "x"]] as [[String]] {
            var members: JSONObject = ["structured_outputs": ["choice": .array(choices.map(JSONValue.string))], "n": 8]
            members["reasoning_effort"] = .string(effort)
            members["thinking_token_budget"] = 4
            members["logit_bias"] = .object(bias)
            for streams in [false, true] {
                members["stream"] = .bool(streams)
                let reply = try await server.post("/v1/chat/completions", body(members))
                let texts =
                    streams
                    ? (0..<8).map { reply.streamedText($0) }
                    : (reply.json["choices"]?.array ?? []).compactMap { $0["message"]?["content"]?.string }
                #expect(texts.count == 8 && texts.allSatisfy { choices.contains($0) }, "\(texts)")
            }
        }
        await server.stop()
    }

    @Test func `completions can be constrained too`() async throws {
        let server = try await TestServer.start()
        for (members, texts) in [
            (["guided_choice": ["red", "blue"]], ["red", "blue"]), (["structured_outputs": ["choice": ["x"]]], ["x"]),
            (["guided_regex": "[ab]"], ["a", "b"]),
        ] as [(JSONObject, [String])] {
            var body: JSONObject = ["prompt": "The colour is ", "max_tokens": 20]
            for (name, value) in members { body[name] = value }
            let choice = try await server.post("/v1/completions", .object(body)).json["choices"]?[0]
            #expect(texts.contains(choice?["text"]?.string ?? "") && choice?["finish_reason"] == "stop")
        }
        let reply = try await server.post(
            "/v1/completions",
            [
                "prompt": "The answer is ", "max_tokens": 300, "n": 8, "seed": 1,
                "response_format": ["type": "json_object"],
            ])
        let choices = try #require(reply.json["choices"]?.array)
        // A model may start an object and not finish it.
        let whole = choices.filter { $0["finish_reason"] == "stop" }
        #expect(choices.count == 8 && whole.count >= 4, "\(choices)")
        for choice in whole {
            #expect(try JSONValue(parsing: choice["text"]?.string ?? "").object != nil, "\(choice)")
        }
        await server.stop()
    }

    @Test func `a schema that cannot be enforced is refused before any token`() async throws {
        let server = try await TestServer.start()
        var members = format(["type": "object", "properties": ["a": ["contains": [:]]]])
        members["stream"] = true
        let reply = try await server.post("/v1/chat/completions", body(members))
        #expect(reply.status == 400)
        #expect(reply.json["error"]?["param"] == "response_format.json_schema.schema")
        let message = reply.json["error"]?["message"]?.string ?? ""
        #expect(message.contains("response_format.json_schema.schema.properties.a.contains"), "\(message)")
        #expect(try await server.metric("vllm:generation_tokens_total") == 0)
        await server.stop()
    }

    @Test func `constraints that contradict each other only after some tokens are a client error`() async throws {
        let server = try await TestServer.start()
        let reply = try await server.post(
            "/v1/completions",
            ["prompt": "x", "max_tokens": 9, "guided_choice": ["yes"], "bad_words": ["s", "es", "yes", "ye", "y"]])
        #expect(reply.status == 400 && reply.json["error"]?["code"] == "unsatisfiable", "\(reply.json)")
        #expect(try await server.metric("vllm:num_requests_running") == 0)
        await server.stop()
    }

    private static let tools: JSONValue = [
        [
            "type": "function",
            "function": [
                "name": "paint",
                "parameters": [
                    "type": "object",
                    "properties": [
                        "colour": ["enum": ["red", "blue"]], "coats": ["type": "integer", "maximum": 3, "minimum": 1],
                    ],
                    "required": ["colour", "coats"],
                ],
            ],
        ],
        ["type": "function", "function": ["name": "wait"]],
    ]

    @Test func `a forced call takes precedence over a format, and equal constraints under two names are accepted`()
        async throws
    {
        let server = try await TestServer.start()
        var members = format(Self.person)
        members["tools"] = Self.tools
        members["tool_choice"] = "required"
        let called = try await server.post("/v1/chat/completions", body(members))
        #expect(called.json["choices"]?[0]?["finish_reason"] == "tool_calls", "\(called.json)")
        let twice = try await server.post(
            "/v1/chat/completions",
            body(["guided_regex": "[a-c]{2}", "structured_outputs": ["regex": "[a-c]{2}"]]))
        #expect(twice.json["choices"]?[0]?["message"]?["content"]?.string?.utf8.count == 2, "\(twice.json)")
        await server.stop()
    }

    @Test func `grammars in Lark's notation and structural tags are enforced`() async throws {
        let server = try await TestServer.start()
        let lark = try await server.post(
            "/v1/chat/completions",
            body(["structured_outputs": ["grammar": "start: \"up\" | \"down\" DIGIT\n%import common.DIGIT"]]))
        let text = try #require(lark.json["choices"]?[0]?["message"]?["content"]?.string)
        #expect(text == "up" || text.hasPrefix("down") && text.utf8.count == 5)
        let content: JSONValue = ["type": "json_schema", "json_schema": ["enum": [7]]]
        let format: JSONValue = ["type": "tag", "begin": "<n>", "content": content, "end": "</n>"]
        for members: JSONObject in [
            ["response_format": ["type": "structural_tag", "format": format]],
            [
                "structured_outputs": [
                    "structural_tag": .string(#"{"format":{"type":"const_string","value":"<n>7</n>"}}"#)
                ]
            ],
        ] {
            let tagged = try await server.post("/v1/chat/completions", body(members))
            #expect(tagged.json["choices"]?[0]?["message"]?["content"] == "<n>7</n>", "\(tagged.json)")
        }
        await server.stop()
    }

    @Test func `a tool's schema does not cause an error for a forced call, unless it is strict`() async throws {
        let server = try await TestServer.start()
        for (parameters, strict, status): (JSONValue, JSONValue, Int) in [
            (["type": "object", "properties": ["p": ["type": "array", "contains": [:]]]], nil, 200), (nil, nil, 200),
            (["type": "object", "properties": ["p": ["type": "array", "contains": [:]]]], true, 400),
        ] {
            let function: JSONValue = ["name": "f", "parameters": parameters, "strict": strict]
            let reply = try await server.post(
                "/v1/chat/completions",
                body([
                    "tools": [["type": "function", "function": function]], "tool_choice": "required", "max_tokens": 20,
                ]))
            #expect(reply.status == status, "\(reply.json)")
        }
        await server.stop()
    }

    @Test(arguments: [ServerConfiguration.ToolCallParser.hermes, .qwen3Coder])
    func `forced calls have arguments that are valid`(parser: ServerConfiguration.ToolCallParser) async throws {
        let server = try await TestServer.start { $0.toolCallParser = parser }
        for choice in [
            "required", ["type": "function", "function": ["name": "paint"]],
        ] as [JSONValue] {
            let reply = try await server.post(
                "/v1/chat/completions",
                body([
                    "tools": Self.tools, "tool_choice": choice, "parallel_tool_calls": false,
                    "reasoning_effort": "none",
                ]))
            let first = try #require(reply.json["choices"]?[0])
            #expect(first["message"]?["content"] == "")
            // A call by name is complete, so it is not the reason why the model stopped.
            #expect(first["finish_reason"] == (choice == "required" ? "tool_calls" : "stop"))
            let calls = try #require(first["message"]?["tool_calls"]?.array)
            #expect(calls.count == 1)
            let name = calls[0]["function"]?["name"]?.string
            #expect(name == "paint" || choice == "required" && name == "wait")
            let arguments = try JSONValue(parsing: calls[0]["function"]?["arguments"]?.string ?? "")
            if name == "paint" {
                #expect(["red", "blue"].contains(arguments["colour"] ?? .null))
                #expect(1...3 ~= arguments["coats"]?.integer ?? 0)
            }
        }
        await server.stop()
    }

    @Test func `a strict tool's arguments follow its schema though the model may decide to call`() async throws {
        let server = try await TestServer.start()
        var tool = try JSONValue(
            parsing:
                #"{"type":"function","function":{"name":"get_weather","description":"Get the weather of a city","parameters":{"type":"object","properties":{"city":{"enum":["Rome","Oslo"]}},"required":["city"]}}}"#
        )
        for isStrict in [false, true] {
            if isStrict, var object = tool.object, var function = tool["function"]?.object {
                function["strict"] = true
                object["function"] = .object(function)
                tool = .object(object)
            }
            let reply = try await server.post(
                "/v1/chat/completions",
                [
                    "messages": [["role": "user", "content": "What is the weather in Paris?"]], "temperature": 0,
                    "tools": [tool], "max_tokens": 100,
                ])
            let call = reply.json["choices"]?[0]?["message"]?["tool_calls"]?[0]
            let arguments = try JSONValue(parsing: call?["function"]?["arguments"]?.string ?? "")
            #expect((arguments["city"] == "Paris") == !isStrict, "\(arguments)")
            #expect(["Rome", "Oslo"].contains(arguments["city"] ?? .null) == isStrict)
        }
        await server.stop()
    }
}
