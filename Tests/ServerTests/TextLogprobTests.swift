import ChatTemplates
import Engine
import JSON
import TestSupport
import Testing

@testable import Server

/// Log-probabilities in the Responses API: of the tokens of each text, and of no others.
@Suite struct TextLogprobTests: StreamSamples {
    private let validator: SchemaValidator
    private let parsing: OutputParserConfiguration
    private let text: TextPipeline

    init() throws {
        validator = SchemaValidator(document: try OpenAPIDocument.load())
        text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        let chat: JSONValue = [
            "messages": [["role": "user", "content": "x"]],
            "tools": [["type": "function", "function": ["name": "f"]]],
        ]
        parsing = try #require(
            OutputParserConfiguration(ChatCompletionRequest(chat, for: .sample), prompt: "", text))
    }

    private static let reply = """
        <think>two\nlines</think>

        Let me sée. 🦊
        <tool_call>
        {"name": "f", "arguments": {"a": "é"}}
        </tool_call>
        Let me see.
        <tool_call>
        {"name": "f", "arguments": {}}
        </tool_call>
        """

    /// The same request whole and streamed, with some tokens an event and text that lags behind.
    private func replies(
        _ reply: String, _ fields: JSONObject, parsing: OutputParserConfiguration?, seed: UInt64
    ) throws -> (body: JSONValue, events: [JSONValue]) {
        var random = SeededGenerator(seed: seed)
        let tokenizer = text.tokenizer
        let names = TokenNames {
            tokenizer.bytes(of: $0, skipSpecialTokens: false)
        } isSpecial: { _ in
            false
        }
        var whole = try makeStream(.responses, fields, names: names, parsing: parsing)
        var stream = try makeStream(.responses, fields.merging(["stream": true]), names: names, parsing: parsing)
        var events: [JSONValue] = []
        var ids = tokenizer.encode(reply, addSpecialTokens: false)[...]
        var held: [UInt8] = []
        repeat {
            let some = ids.prefix(Int.random(in: 1...3, using: &random))
            ids = ids.dropFirst(some.count)
            held += some.flatMap { tokenizer.bytes(of: $0, skipSpecialTokens: false) }
            // Whole characters, and not always all of them.
            var end = ids.isEmpty ? held.count : Int.random(in: 0...held.count, using: &random)
            while end < held.count, end > 0, held[end] & 0xC0 == 0x80 { end -= 1 }
            while end > 0, String(validating: held[..<end], as: UTF8.self) == nil { end -= 1 }
            let tokens = some.map { token($0, -0.5, top: [($0, -0.5), (5, -2)]) }
            let next = event(
                0, String(decoding: held[..<end], as: UTF8.self), tokens: tokens,
                finish: ids.isEmpty ? .stop(.endOfSequence) : nil)
            held.removeFirst(end)
            _ = whole.receive(next)
            events += try namedEvents(stream.receive(next))
        } while !ids.isEmpty
        return (whole.body, events)
    }

    private func check(_ value: JSONValue, _ schema: String) {
        let target = validator.resolve("#/components/schemas/\(schema)") ?? false
        #expect(validator.violations(of: value, against: target) == [])
    }

    private func joined(_ logprobs: JSONValue?) -> String {
        let bytes = (logprobs?.array ?? []).flatMap { entry in
            (entry["bytes"]?.array ?? []).map { UInt8($0.integer ?? 0) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: 0..<20)
    func `each text has the log-probabilities of its tokens`(seed: UInt64) throws {
        let (body, events) = try replies(Self.reply, ["top_logprobs": 2], parsing: parsing, seed: seed)
        check(body, "Response")
        for event in events { check(event, "ResponseEvent") }
        let output = try #require(body["output"]?.array)
        #expect(output.map { $0["type"] } == ["reasoning", "message", "function_call", "message", "function_call"])
        for (number, item) in output.enumerated() where item["type"] == "message" {
            let part = try #require(item["content"]?[0])
            let text = try #require(part["text"]?.string)
            // A token may reach over the border of a text, such as a full stop with a line feed.
            let tokens = joined(part["logprobs"])
            #expect(tokens.contains(text) && tokens.count <= text.count + 3, "\(tokens) \(text)")
            #expect(part["logprobs"]?[0]?["top_logprobs"]?.array?.count == 2)

            let own = events.filter { $0["output_index"]?.integer == number }
            let done = try #require(own.first { $0["type"] == "response.output_text.done" })
            let deltas = own.filter { $0["type"] == "response.output_text.delta" }
            let names = (part["logprobs"]?.array ?? []).map { $0["token"] }
            #expect(deltas.flatMap { ($0["logprobs"]?.array ?? []).map { $0["token"] } } == names)
            #expect((done["logprobs"]?.array ?? []).map { $0["token"] } == names && !names.isEmpty)
            #expect(done["logprobs"]?[0]?["bytes"] == nil && done["logprobs"]?[0]?["logprob"] == -0.5)
            #expect(own.first { $0["type"] == "response.content_part.done" }?["part"] == part)
            #expect(own.last?["item"] == item)
        }
        #expect(events.last?["response"] == body && body["top_logprobs"] == 2)
    }

    @Test func `a reply that is all content has those of all its tokens`() throws {
        let fields: JSONObject = ["include": ["message.output_text.logprobs"]]
        let (body, events) = try replies("Hello, 🦊!", fields, parsing: nil, seed: 3)
        let part = body["output"]?[0]?["content"]?[0]
        #expect(joined(part?["logprobs"]) == "Hello, 🦊!" && body["top_logprobs"] == 0)
        #expect(events.last?["response"] == body)
    }

    @Test func `without being asked for there are none`() throws {
        for fields in [[:], ["top_logprobs": 0], ["include": ["reasoning.encrypted_content"]]] as [JSONObject] {
            let (body, events) = try replies("Hello", fields, parsing: nil, seed: 4)
            #expect(body["output"]?[0]?["content"]?[0]?["logprobs"] == [] && body["top_logprobs"] == 0)
            #expect(events.allSatisfy { $0["logprobs"]?.array?.isEmpty ?? true })
        }
    }

    @Test func `bounds are those of chats`() throws {
        for (value, isFine) in [(0, true), (20, true), (21, false), (-1, false), (1.5, false), ("1", false)]
            as [(JSONValue, Bool)]
        {
            do throws(APIError) {
                _ = try ResponsesRequest.translate(["input": "x", "top_logprobs": value], for: .sample)
                #expect(isFine, "\(value)")
            } catch {
                #expect(!isFine && error.param == "top_logprobs", "\(value)")
            }
        }
    }

    @Test func `what is kept for the end of a stream is charged`() throws {
        let token = token(1, -1, top: [(1, -1), (2, -2)])
        func bytes(_ fields: JSONObject) throws -> Int {
            try makeStream(.responses, fields).state.memoryBytes(of: event(0, "ab", tokens: [token]))
        }
        #expect(try bytes(["stream": true, "top_logprobs": 2]) > bytes(["stream": true]) + 200)
    }
}
