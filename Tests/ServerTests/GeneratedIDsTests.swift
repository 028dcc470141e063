import Basics
import Engine
import JSON
import Synchronization
import TestSupport
import Testing

@testable import Server

/// Messages that are sent back with their original ids.
@Suite struct GeneratedIDsTests {
    private let text: TextPipeline
    private let model = ServedModel(
        name: "trinity-tiny", created: 0, vocabularySize: 3072, maxModelLength: 2048, hasTokenizer: true,
        hasChatTemplate: true, samplingDefaults: SamplingParameters())

    init() throws {
        text = try #require(try TextPipeline(directory: Fixtures.chatModel))
    }

    private func ids(_ messages: [JSONValue]) throws -> [Int32] {
        try RequestPreparation(endpoint: .chat, model: model, text: text).prepare(["messages": .array(messages)])
            .promptIDs[0]
    }

    /// One token for each letter, which no tokenizer would choose.
    private func letters(_ word: String) throws -> [Int32] {
        try word.map { try #require(text.tokenizer.id(of: String($0))) }
    }

    private func message(_ content: String, _ ids: [Int32], _ more: JSONObject = [:]) -> JSONValue {
        var message: JSONObject = [
            "role": "assistant", "content": .string(content), "token_ids": .array(ids.map { .integer(Int($0)) }),
        ]
        for (name, value) in more { message[name] = value }
        return .object(message)
    }

    private static let question: JSONValue = ["role": "user", "content": "hello"]

    @Test func `the prompt has the ids of the message, and otherwise the usual ids`() throws {
        let odd = try letters("hello")
        let next: JSONValue = ["role": "user", "content": "hello"]
        let plain = try ids([Self.question, ["role": "assistant", "content": "hello"], next])
        let own = text.tokenizer.encode("hello", addSpecialTokens: false)
        #expect(own != odd)
        // The second "hello" of three.
        let places = plain.indices.filter { plain[$0...].starts(with: own) }
        #expect(places.count == 3)
        var expected = plain
        expected.replaceSubrange(places[1]..<places[1] + own.count, with: odd)
        #expect(try ids([Self.question, message("hello", odd), next]) == expected)
        // The token that ended the reply comes from the template.
        #expect(try ids([Self.question, message("hello", odd + [3]), next]) == expected)
        // Two messages with the same text, each with its own ids.
        let both = try ids([Self.question, message("hello", odd), next, message("hello", own), next])
        #expect(both.starts(with: expected) && both.count > expected.count)
    }

    @Test func `reasoning is part of the generated text`() throws {
        let odd =
            [4] + text.tokenizer.encode("\n", addSpecialTokens: false) + (try letters("hmm"))
            + text.tokenizer.encode("\n", addSpecialTokens: false) + [5]
            + text.tokenizer.encode("\n\n", addSpecialTokens: false) + (try letters("hello"))
        let prompt = try ids([Self.question, message("hello", odd, ["reasoning": "hmm"]), Self.question])
        #expect(prompt.indices.contains { prompt[$0...].starts(with: odd) })
        // If it is not in the conversation, the ids cannot be used, and the text is tokenized.
        let without = try ids([Self.question, message("hello", odd), Self.question])
        #expect(without == (try ids([Self.question, ["role": "assistant", "content": "hello"], Self.question])))
    }

    @Test func `ids of another text are refused`() throws {
        let error = #expect(throws: APIError.self) { try ids([Self.question, message("hello!", letters("hello"))]) }
        #expect(error?.param == "messages[1].token_ids")
        let unknown = #expect(throws: APIError.self) { try ids([Self.question, message("x", [4000])]) }
        #expect(unknown?.param == "messages[1].token_ids[0]")
    }

    private var roomyModel: ServedModel {
        var model = model
        model.maxModelLength = 1_000_000
        return model
    }

    /// A conversation in which all messages but the first have ids.
    private func conversation(_ count: Int) throws -> ChatCompletionRequest {
        let turn = message("hello", try letters("hello"))
        return try ChatCompletionRequest(
            ["messages": .array([Self.question] + Array(repeating: turn, count: count))], for: roomyModel)
    }

    /// Stops work after some questions, and counts the later ones.
    private final class QuestionCount: CancellationToken {
        private let questions = Mutex(0)
        private let most: Int

        init(atMost most: Int = .max) {
            self.most = most
        }

        var count: Int { questions.withLock { $0 } }

        func shouldStop() -> Bool {
            questions.withLock { questions in
                questions += 1
                return questions > most
            }
        }
    }

    @Test func `a conversation with more ids than the context is not encoded to its end`() throws {
        let request = try conversation(1000)
        let runs = try text.render(request)
        #expect {
            try text.encode(request, runs, for: model)
        } throws: {
            guard case .promptTooLong("messages", let tokens, 2048) = $0 as? APIError else { return false }
            return 2049...2200 ~= tokens
        }
    }

    @Test func `encoding many messages ends with its request`() throws {
        let request = try conversation(1000)
        let runs = try text.render(request)
        // The first of these ends while the messages are encoded, so that many questions are left.
        let (some, all) = (QuestionCount(), QuestionCount())
        Cancellation.$token.withValue(some) { _ = try? text.encode(request, runs, for: model) }
        _ = try Cancellation.$token.withValue(all) { try text.encode(request, runs, for: roomyModel) }
        #expect(all.count > some.count + 500)
        let stopped = QuestionCount(atMost: some.count + 50)
        Cancellation.$token.withValue(stopped) {
            #expect(throws: APIError.aborted) { try text.encode(request, runs, for: roomyModel) }
        }
        #expect(stopped.count < some.count + 100)
    }

    @Test func `counting a conversation that is too long works with and without ids`() throws {
        let own = text.tokenizer.encode("hello", addSpecialTokens: false)
        let long: JSONValue = ["role": "user", "content": .string(String(repeating: "hello ", count: 4000))]
        let counts = try [message("hello", own), ["role": "assistant", "content": "hello"]].map { turn in
            let request = try ChatCompletionRequest(
                ["messages": [Self.question, turn, long]], for: model)
            return try text.ids(of: request, text.render(request)).count
        }
        #expect(counts[0] > 2048 + 64 && counts[0] == counts[1])
    }

    @Test func `the next turn finds a reply in the cache that its text would not find`() async throws {
        let server = try await TestServer.start()
        let allowed = try letters("abcdefgh")
        let opening: JSONObject = [
            "messages": [Self.question], "max_tokens": 64, "min_tokens": 64, "temperature": 1.5, "seed": 3,
            "return_token_ids": true, "allowed_token_ids": .array(allowed.map { .integer(Int($0)) }),
        ]
        let first = try await server.post("/v1/chat/completions", .object(opening)).json
        let choice = try #require(first["choices"]?[0])
        let reply = try #require(choice["message"]?["content"]?.string)
        let total = try #require(first["usage"]?["total_tokens"]?.integer)
        for (message, isFound) in [
            (["role": "assistant", "content": .string(reply)] as JSONObject, false),
            (["role": "assistant", "content": .string(reply), "token_ids": choice["token_ids"] ?? .null], true),
        ] {
            let next = try await server.post(
                "/v1/chat/completions",
                ["messages": [Self.question, .object(message), Self.question], "max_tokens": 1])
            let cached = next.json["usage"]?["prompt_tokens_details"]?["cached_tokens"]?.integer ?? 0
            // All complete logical blocks of computed tokens: the last token is never computed.
            #expect((cached >= (total - 1) / 16 * 16) == isFound, "\(cached) of \(total)")
        }
        await server.stop()
    }
}
