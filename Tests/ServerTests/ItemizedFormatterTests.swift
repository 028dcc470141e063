import Engine
import JSON
import TestSupport
import Testing

@testable import Server

/// Replies in the forms of the Messages and the Responses API: whole, and as equivalent events.
@Suite struct ItemizedFormatterTests: StreamSamples {
    private let validator: SchemaValidator
    private let parsing: OutputParserConfiguration

    init() throws {
        validator = SchemaValidator(document: try OpenAPIDocument.load())
        let text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        let chat: JSONValue = [
            "messages": [["role": "user", "content": "x"]],
            "tools": [["type": "function", "function": ["name": "f"]]],
        ]
        parsing = try #require(
            OutputParserConfiguration(ChatCompletionRequest(chat, for: .sample), prompt: "", text))
    }

    private static let reply = """
        <think>two\nlines</think>Let me see.
        <tool_call>
        {"name": "f", "arguments": {"a": "é"}}
        </tool_call>
        <tool_call>
        {"name": "f", "arguments": {}}
        </tool_call>
        """

    /// The reply, split at random places, in both forms.
    private func replies(
        _ endpoint: Endpoint, _ text: String, finish: FinishReason, seed: UInt64
    ) throws -> (body: JSONValue, events: [JSONValue]) {
        var random = SeededGenerator(seed: seed)
        let fields: JSONObject = endpoint == .messages ? ["thinking": ["type": "adaptive"]] : [:]
        var whole = try makeStream(endpoint, fields, parsing: parsing)
        var stream = try makeStream(endpoint, fields.merging(["stream": true]), parsing: parsing)
        var events: [JSONValue] = []
        var rest = Substring(text)
        repeat {
            let piece = rest.prefix(Int.random(in: 1...20, using: &random))
            rest = rest.dropFirst(piece.count)
            let event = event(0, String(piece), ids: [7], finish: rest.isEmpty ? finish : nil)
            #expect(whole.receive(event).isEmpty)
            events += try namedEvents(stream.receive(event))
        } while !rest.isEmpty
        #expect(whole.isFinished && stream.isFinished)
        return (whole.body, events)
    }

    private func check(_ value: JSONValue, _ schema: String) {
        let target = validator.resolve("#/components/schemas/\(schema)") ?? false
        #expect(validator.violations(of: value, against: target) == [])
    }

    @Test(arguments: 0..<30)
    func `a stream of messages is equivalent to the whole message`(seed: UInt64) throws {
        let (body, events) = try replies(.messages, Self.reply, finish: .stop(.endOfSequence), seed: seed)
        check(body, "Message")
        for event in events { check(event, "MessageEvent") }
        #expect(body["stop_reason"] == "tool_use")
        let content = try #require(body["content"]?.array)
        #expect(content.map { $0["type"] } == ["thinking", "text", "tool_use", "tool_use"])
        #expect(content[0]["thinking"] == "two\nlines" && content[1]["text"] == "Let me see.")
        #expect(content[2]["input"] == ["a": "é"] && content[3]["input"] == [:])
        #expect(content[2]["id"] != content[3]["id"])

        #expect(events.first?["type"] == "message_start" && events.last?["type"] == "message_stop")
        #expect(events.first?["message"]?["content"] == [])
        for (index, block) in content.enumerated() {
            let own = events.filter { $0["index"]?.integer == index }
            #expect(own.first?["type"] == "content_block_start" && own.last?["type"] == "content_block_stop")
            #expect(own.first?["content_block"]?["id"] == block["id"])
            let deltas = own.compactMap { $0["delta"] }
            let text = deltas.compactMap { ($0["text"] ?? $0["thinking"] ?? $0["partial_json"])?.string }.joined()
            let expected = block["input"].map { $0 == [:] ? "{}" : "{\"a\": \"é\"}" }
            #expect(text == expected ?? (block["text"] ?? block["thinking"])?.string)
        }
        let end = try #require(events.first { $0["type"] == "message_delta" })
        #expect(end["usage"] == body["usage"] && end["delta"]?["stop_reason"] == "tool_use")
    }

    @Test(arguments: 0..<30)
    func `a stream of a response is equivalent to the whole response`(seed: UInt64) throws {
        let (body, events) = try replies(.responses, Self.reply, finish: .stop(.endOfSequence), seed: seed)
        check(body, "Response")
        for event in events { check(event, "ResponseEvent") }
        #expect(events.map { $0["sequence_number"]?.integer } == Array(0..<events.count))
        #expect(events.first?["type"] == "response.created")
        #expect(events.last?["type"] == "response.completed" && events.last?["response"] == body)
        let output = try #require(body["output"]?.array)
        #expect(output.map { $0["type"] } == ["reasoning", "message", "function_call", "function_call"])
        #expect(output[2]["arguments"] == "{\"a\": \"é\"}" && output[3]["arguments"] == "{}")
        for (index, item) in output.enumerated() {
            let own = events.filter { $0["output_index"]?.integer == index }
            #expect(own.first?["type"] == "response.output_item.added")
            #expect(own.last?["type"] == "response.output_item.done" && own.last?["item"] == item)
            let text = own.compactMap { $0["delta"]?.string }.joined()
            #expect(text == (item["arguments"] ?? item["content"]?[0]?["text"])?.string)
            #expect(own.dropFirst().dropLast().allSatisfy { $0["item_id"] == item["id"] })
        }
    }

    @Test func `the finish reason is in each API's terms`() throws {
        for (finish, reason, sequence) in [
            (.stop(.endOfSequence), "end_turn", .null), (.length, "model_context_window_exceeded", .null),
            (.stop(.string("x")), "stop_sequence", "x"),
        ] as [(FinishReason, JSONValue, JSONValue)] {
            let (body, _) = try replies(.messages, "Hello", finish: finish, seed: 1)
            #expect(body["stop_reason"] == reason && body["stop_sequence"] == sequence)
        }
        let (body, events) = try replies(.responses, "Hello", finish: .length, seed: 1)
        #expect(body["status"] == "incomplete" && body["incomplete_details"]?["reason"] == "max_output_tokens")
        #expect(body["output"]?[0]?["status"] == "incomplete" && events.last?["type"] == "response.incomplete")
    }

    @Test(arguments: 0..<10)
    func `the end of each item is the item of the whole response, also if it is cut`(seed: UInt64) throws {
        let cut = "<think>why</think>Well.<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"lon"
        for text in ["Hello", cut] {
            let (body, events) = try replies(.responses, text, finish: .length, seed: seed)
            let done = events.filter { $0["type"] == "response.output_item.done" }.map { $0["item"] ?? .null }
            #expect(done == body["output"]?.array)
            #expect(done.last?["status"] == "incomplete")
            #expect(done.dropLast().allSatisfy { $0["status"] == "completed" })
        }
    }

    @Test func `a response repeats its request, whole and streamed`() throws {
        let fields: JSONObject = [
            "metadata": ["a": "b\n\"é\""], "user": "me", "temperature": 0.7, "instructions": "i",
            "tools": [["type": "function", "name": "f", "parameters": ["type": "object"]]],
        ]
        var whole = try makeStream(.responses, fields)
        var stream = try makeStream(.responses, fields.merging(["stream": true]))
        let event = event(0, "x", ids: [7], finish: .stop(.endOfSequence))
        _ = whole.receive(event)
        let events = try namedEvents(stream.receive(event))
        for response in [whole.body, events[0]["response"], events[1]["response"], events.last?["response"]] {
            for (name, value) in fields { #expect(response?[name] == value, "\(name)") }
        }
        #expect(events.last?["response"] == whole.body && events[0]["response"]?["usage"] == JSONValue.null)
    }

    @Test func `truncated arguments are not an object`() throws {
        let cut = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"lon"
        let (body, _) = try replies(.messages, cut, finish: .length, seed: 2)
        #expect(body["content"]?[0]?["input"] == ["INVALID_JSON": "{\"a\": \"lon"])
        #expect(body["stop_reason"] == "model_context_window_exceeded")
    }

    @Test func `a stream that fails ends with an error in its form`() throws {
        for (endpoint, type, schema) in [
            (.messages, "error", "MessageEvent"), (.responses, "response.failed", "ResponseEvent"),
        ] as [(Endpoint, JSONValue, String)] {
            var stream = try makeStream(endpoint, ["stream": true])
            #expect(!stream.receive(event(0, "a", ids: [1])).isEmpty)
            let events = try namedEvents(stream.fail(.internalError))
            #expect(events.map { $0["type"] } == [type] && stream.failure == nil)
            check(events[0], schema)
        }
        // If the stream has not begun, it is an ordinary error.
        var stream = try makeStream(.messages, ["stream": true])
        #expect(stream.fail(.internalError).isEmpty && stream.failure == .internalError)
    }

    @Test(arguments: APIErrorTests.all)
    func `every error has Anthropic's form too`(error: APIError, status: Int, code: String?) {
        check(error.anthropicJSON(requestID: "1"), "MessageErrorResponse")
    }
}

extension JSONObject {
    func merging(_ other: JSONObject) -> JSONObject {
        var result = self
        for (name, value) in other { result[name] = value }
        return result
    }
}
