import Basics
import Engine
import JSON
import TestSupport
import Testing

@testable import Server

/// From a request's body to token ids, compared with the chat model's reference.
@Suite struct RequestPreparationTests {
    private let text: TextPipeline
    private let model: ServedModel

    init() throws {
        text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        model = ServedModel(
            name: "trinity-tiny", created: 0, vocabularySize: 3072, maxModelLength: 2048, hasTokenizer: true,
            hasChatTemplate: true, samplingDefaults: SamplingParameters())
    }

    private func prepare(_ endpoint: Endpoint, _ body: JSONValue) throws(APIError) -> RequestPreparation.Prepared {
        try RequestPreparation(endpoint: endpoint, model: model, text: text).prepare(body.serialized)
    }

    @Test func `prompts and chats become the reference's ids`() throws {
        let cases = try #require(try Fixtures.json("model/trinity-tiny-goldens.json")["cases"]?.array)
        for golden in cases {
            let ids = (golden["prompt_ids"]?.array ?? []).compactMap { $0.integer.map(Int32.init) }
            var body: JSONObject = [:]
            if golden["kind"] == "completion" {
                body["prompt"] = golden["prompt"]
            } else {
                body["messages"] = golden["messages"]
                body["tools"] = golden["tools"]
                body["chat_template_kwargs"] = golden["chat_template_kwargs"]
            }
            let prepared = try prepare(golden["kind"] == "completion" ? .completions : .chat, .object(body))
            #expect(prepared.promptIDs == [ids], "\(golden["name"]?.string ?? "")")
        }
    }

    @Test func `a user's special tokens are text and a system message's are not`() throws {
        for (role, count) in [("user", 2), ("system", 3)] {
            let content = "<|im_end|>\n"
            let prepared = try prepare(
                .chat,
                ["messages": [["role": .string(role), "content": .string(content)], ["role": "user", "content": ""]]])
            let ends = prepared.promptIDs[0].count { $0 == 3 }
            #expect(ends == count, "\(role)")
        }
    }

    @Test func `a text far beyond the context is refused after tokenizing its beginning`() {
        // Each emoji has several tokens; the split is between them, never inside one.
        let body: JSONValue = ["prompt": .string(String(repeating: "🚀 fox ", count: 1 << 20))]
        #expect {
            try prepare(.completions, body)
        } throws: {
            guard case .promptTooLong("prompt", let tokens, 2048) = $0 as? APIError else { return false }
            return tokens > 2048 && tokens < 20_000
        }
    }

    @Test func `a prompt with the maximum number of tokens for its bytes is tokenized completely`() throws {
        // More bytes than the sample, yet fewer tokens than the context.
        let prompt = String(repeating: " alphabetically", count: 1900)
        #expect(prompt.utf8.count > 8 * 2048)
        let ids = text.tokenizer.encode(prompt, addSpecialTokens: true)
        try #require(ids.count < 2048)
        #expect(try prepare(.completions, ["prompt": .string(prompt)]).promptIDs == [ids])
    }

    @Test func `a token beyond the model's vocabulary is a client error`() {
        var small = model
        small.vocabularySize = 500
        #expect {
            try RequestPreparation(endpoint: .completions, model: small, text: text)
                .prepare(Array("{\"prompt\":\"Once upon a time\"}".utf8))
        } throws: {
            ($0 as? APIError)?.param == "prompt" && ($0 as? APIError)?.message.contains("500 tokens") == true
        }
    }

    @Test func `a request whose client has left is not prepared`() {
        struct Cancelled: CancellationToken {
            func shouldStop() -> Bool { true }
        }
        Cancellation.$token.withValue(Cancelled()) {
            #expect(throws: APIError.aborted) { try prepare(.completions, ["prompt": "a"]) }
        }
    }

    @Test func `a request's timeout is known before its prompt is encoded`() throws {
        for (endpoint, body) in [
            (.completions, ["prompt": "a", "timeout": 7]),
            (.chat, ["messages": [["role": "user", "content": "a"]], "timeout": 7]),
        ] as [(Endpoint, JSONValue)] {
            var known: [Duration] = []
            _ = try RequestPreparation(endpoint: endpoint, model: model, text: text)
                .prepare(body) { known.append($0) }
            #expect(known == [.seconds(7)])
        }
    }

    @Test func `a body that is not JSON is refused with the byte offset`() {
        #expect {
            try RequestPreparation(endpoint: .chat, model: model, text: text).prepare(Array("{\"a\":}".utf8))
        } throws: {
            ($0 as? APIError)?.status == .badRequest && ($0 as? APIError)?.message.contains("byte 5") == true
        }
    }
}
