import Engine
import JSON
import TestSupport
import Testing

@testable import Server

/// `functions` and `function_call` of chat completions, which `tools` has replaced: the same under other names.
@Suite struct FunctionCallTests: StreamSamples {
    private static let functions: JSONValue = [
        ["name": "f", "description": "d", "parameters": ["type": "object"]], ["name": "g"],
    ]

    private func chat(_ fields: JSONObject, isStrict: Bool = false) throws(APIError) -> ChatCompletionRequest {
        var body: JSONObject = ["messages": [["role": "user", "content": "x"]]]
        for (name, value) in fields { body[name] = value }
        var model = ServedModel.sample
        model.refusesUnknownParameters = isStrict
        return try ChatCompletionRequest(.object(body), for: model)
    }

    private func refusal(_ fields: JSONObject) -> APIError? {
        do throws(APIError) { _ = try chat(fields) } catch { return error }
        return nil
    }

    @Test func `functions are tools, of which a reply calls one`() throws {
        let request = try chat(["functions": Self.functions], isStrict: true)
        let tools: JSONValue = [
            [
                "type": "function",
                "function": ["name": "f", "description": "d", "parameters": ["type": "object"]],
            ], ["type": "function", "function": ["name": "g"]],
        ]
        #expect(request.tools == (try chat(["tools": tools])).tools && !request.callsInParallel)
        #expect(request.ignored.names == [] && !request.mustCall)
        #expect(try chat(["functions": Self.functions, "function_call": "none"]).tools == [])
        #expect(try chat(["functions": Self.functions, "function_call": "auto"]).tools.count == 2)
        #expect(try chat(["functions": Self.functions, "function_call": ["name": "g"]]).namedTool == "g")
        for nothing in [["functions": []], ["functions": nil, "function_call": "none"], ["function_call": "auto"]]
            as [JSONObject]
        {
            #expect(try chat(nothing, isStrict: true).tools == [])
        }
    }

    @Test func `mistakes are told by their names`() {
        for (fields, param) in [
            (["functions": [["description": "d"]]], "functions[0].name"), (["functions": ["f"]], "functions[0]"),
            (["functions": "f"], "functions"), (["functions": Self.functions, "function_call": 1], "function_call"),
            (["functions": Self.functions, "function_call": "required"], "function_call"),
            (["functions": Self.functions, "function_call": [:]], "function_call.name"),
            (["functions": Self.functions, "function_call": ["name": "h"]], "function_call.name"),
            (["function_call": ["name": "f"]], "function_call"),
            (["functions": Self.functions, "tool_choice": "required"], "tool_choice"),
            (
                [
                    "functions": Self.functions,
                    "tools": [["type": "function", "function": ["name": "f"]]],
                ], "functions"
            ),
        ] as [(JSONObject, String)] {
            #expect(refusal(fields)?.param == param, "\(fields)")
            #expect(refusal(fields)?.status == .badRequest)
        }
    }

    @Test func `a history of functions is one of tools`() throws {
        let older: JSONValue = [
            ["role": "user", "content": "x"],
            ["role": "assistant", "content": nil, "function_call": ["name": "f", "arguments": "{\"a\": 1}"]],
            ["role": "function", "name": "f", "content": "sunny"],
            ["role": "assistant", "content": nil, "function_call": ["name": "g", "arguments": ""]],
            ["role": "function", "name": "g", "content": nil],
        ]
        let messages = try chat(["messages": older], isStrict: true).messages
        #expect(messages.map(\.role) == [.user, .assistant, .tool, .assistant, .tool])
        let calls = messages.flatMap(\.toolCalls)
        #expect(calls.map(\.name) == ["f", "g"] && calls.map(\.arguments) == [["a": 1], [:]])
        #expect(messages[2].content == "sunny" && messages[2].toolCallID == calls[0].id && messages[4].content == "")
        for (message, param) in [
            (["role": "function", "content": "x"], "messages[0].name"),
            (["role": "assistant", "function_call": ["arguments": "{}"]], "messages[0].function_call.name"),
            (["role": "assistant", "function_call": "f"], "messages[0].function_call"),
        ] as [(JSONValue, String)] {
            #expect(refusal(["messages": [message]])?.param == param)
        }
    }

    @Test func `a call comes back as a function call, whole and streamed`() throws {
        let text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        let validator = SchemaValidator(document: try OpenAPIDocument.load())
        let fields: JSONObject = ["functions": Self.functions]
        for (choice, reason) in [("auto", "function_call"), (["name": "f"], "stop")] as [(JSONValue, JSONValue)] {
            var fields = fields
            fields["function_call"] = choice
            let request = try chat(fields)
            let parsing = try #require(OutputParserConfiguration(request, prompt: "", text))
            var whole = try makeStream(.chat, fields, parsing: parsing)
            var stream = try makeStream(.chat, fields.merging(["stream": true]), parsing: parsing)
            var received: [JSONValue] = []
            let reply = "Let me see.<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>"
            let pieces = stride(from: 0, to: reply.count, by: 9).map { String(reply.dropFirst($0).prefix(9)) }
            for piece in pieces {
                let isLast = piece == pieces.last
                let next = event(0, piece, ids: [1], finish: isLast ? .stop(.endOfSequence) : nil)
                _ = whole.receive(next)
                received += try chunks(stream.receive(next))
            }
            let schema = validator.resolve("#/components/schemas/ChatCompletionResponse") ?? false
            #expect(validator.violations(of: whole.body, against: schema) == [])
            let answer = try #require(whole.body["choices"]?[0])
            #expect(answer["finish_reason"] == reason && answer["message"]?["tool_calls"] == nil)
            #expect(answer["message"]?["function_call"] == ["name": "f", "arguments": "{\"a\": 1}"])
            #expect(answer["message"]?["content"] == "Let me see.")

            let chunkSchema = validator.resolve("#/components/schemas/ChatCompletionChunk") ?? false
            for chunk in received { #expect(validator.violations(of: chunk, against: chunkSchema) == []) }
            let deltas = received.compactMap { $0["choices"]?[0]?["delta"] }
            let calls = deltas.compactMap { $0["function_call"] }
            #expect(calls.compactMap { $0["name"] } == ["f"] && calls.first?["name"] == "f")
            #expect(calls.compactMap { $0["arguments"]?.string }.joined() == "{\"a\": 1}")
            #expect(deltas.allSatisfy { $0["tool_calls"] == nil })
            #expect(received.last?["choices"]?[0]?["finish_reason"] == reason)
        }
    }
}
