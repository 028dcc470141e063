import JSON
import TestSupport
import Testing

@testable import Server

/// Parameters for the prompt and for the tokens that may follow, over a real socket.
@Suite(.serialized) struct PromptOptionTests {
    private static let story = "Once upon a time, there was a little fox named Ruby."

    private func request(_ members: JSONObject) -> JSONValue {
        var body: JSONObject = ["prompt": .string(Self.story), "temperature": 0, "max_tokens": 6]
        for (name, value) in members { body[name] = value }
        return .object(body)
    }

    @Test func `a stream does not begin with the log-probabilities of a long prompt`() async throws {
        let server = try await TestServer.start()
        func status(tokens: Int, _ fields: JSONObject) async throws -> (Int, String?) {
            var body: JSONObject = ["max_tokens": 1, "echo": true]
            body["prompt"] = .array(JSONArray(count: tokens) { _ in 5 })
            for (name, value) in fields { body[name] = value }
            let reply = try await server.post("/v1/completions", .object(body))
            return (reply.status, reply.status == 400 ? reply.json["error"]?["message"]?.string : nil)
        }
        #expect(try await status(tokens: 1024, ["logprobs": 3, "stream": true]).0 == 200)
        let refused = try await status(tokens: 1025, ["logprobs": 3, "stream": true])
        #expect(refused.0 == 400 && refused.1?.contains("limited to 4096 log-probabilities") == true)
        let choices = try await status(tokens: 513, ["logprobs": 3, "stream": true, "n": 2])
        #expect(choices.0 == 400 && choices.1?.contains("has at least 4104") == true)
        #expect(try await status(tokens: 1025, ["logprobs": 3]).0 == 200)
        #expect(try await status(tokens: 1025, ["stream": true]).0 == 200)
        await server.stop()
    }

    @Test func `an echoed prompt has its text and its log-probabilities, streamed or whole`() async throws {
        let server = try await TestServer.start()
        let plain = try await server.post("/v1/completions", request(["return_token_ids": true, "logprobs": 2]))
        let generated = try #require(plain.json["choices"]?[0]?["text"]?.string)
        let promptIDs = try #require(plain.json["choices"]?[0]?["prompt_token_ids"]?.array)
        let echoed = try await server.post("/v1/completions", request(["echo": true, "logprobs": 2]))
        let choice = try #require(echoed.json["choices"]?[0])
        #expect(choice["text"]?.string == Self.story + generated)
        let logprobs = try #require(choice["logprobs"])
        let (tokens, own) = (logprobs["tokens"]?.array ?? [], logprobs["token_logprobs"]?.array ?? [])
        let tops = logprobs["top_logprobs"]?.array ?? []
        #expect(tokens.count == promptIDs.count + 6 && own.count == tokens.count && tops.count == tokens.count)
        #expect(own[0] == .null && tops[0] == .null)
        // The token's own number is among the alternatives, with identical digits.
        for (index, token) in tokens.enumerated().dropFirst() {
            #expect(own[index] != .null && tops[index][token.string ?? ""] == own[index])
        }
        #expect(Array(own.suffix(6)) == plain.json["choices"]?[0]?["logprobs"]?["token_logprobs"]?.array)
        let offsets = (logprobs["text_offset"]?.array ?? []).compactMap(\.integer)
        #expect(offsets[promptIDs.count] == Self.story.unicodeScalars.count)

        let stream = try await server.post("/v1/completions", request(["echo": true, "logprobs": 2, "stream": true]))
        #expect(stream.streamedText() == Self.story + generated)
        let streamed = stream.chunks.flatMap { $0["choices"]?[0]?["logprobs"]?["token_logprobs"]?.array ?? [] }
        #expect(streamed == own)
        let silent = try await server.post("/v1/completions", request(["echo": true]))
        #expect(silent.json["choices"]?[0]?["text"]?.string == Self.story + generated)
        #expect(silent.json["choices"]?[0]?["logprobs"] == .null)
        await server.stop()
    }

    @Test func `nothing is generated for 0 tokens`() async throws {
        let server = try await TestServer.start()
        let reply = try await server.post(
            "/v1/completions",
            request(["echo": true, "logprobs": 1, "max_tokens": 0, "prompt": [[5, 6, 7], [8, 9]]]))
        #expect(reply.status == 200)
        for (index, count) in [3, 2].enumerated() {
            let choice = reply.json["choices"]?[index]
            #expect(choice?["logprobs"]?["tokens"]?.array?.count == count)
            #expect(choice?["finish_reason"] == "length")
        }
        #expect(reply.json["usage"]?["completion_tokens"] == 0)
        #expect(reply.json["usage"]?["prompt_tokens"] == 5)
        // A prompt may then be as long as the context.
        let ids = JSONValue.array(Array(repeating: 5, count: 2048))
        #expect(try await server.post("/v1/completions", request(["prompt": ids, "max_tokens": 0])).status == 200)
        #expect(try await server.post("/v1/completions", request(["prompt": ids])).status == 400)
        await server.stop()
    }

    @Test func `prompt_logprobs lists the prompt's tokens by id`() async throws {
        let server = try await TestServer.start()
        let reply = try await server.post("/v1/completions", request(["prompt": [5, 6, 7], "prompt_logprobs": 2]))
        let list = try #require(reply.json["choices"]?[0]?["prompt_logprobs"]?.array)
        #expect(list.count == 3 && list[0] == .null)
        for (id, entry) in zip(["6", "7"], list.dropFirst()) {
            #expect([2, 3].contains(entry.object?.count ?? 0))
            #expect(entry[id]?["rank"]?.integer ?? 0 > 0)
            let ranks = Set(entry.object?.compactMap { $0.value["rank"]?.integer } ?? [])
            #expect(ranks.isSuperset(of: [1, 2]))
        }
        let chat = try await server.post(
            "/v1/chat/completions",
            ["messages": [["role": "user", "content": "Hi"]], "max_tokens": 1, "prompt_logprobs": 0])
        let count = try #require(chat.json["prompt_logprobs"]?.array?.count)
        #expect(chat.json["usage"]?["prompt_tokens"]?.integer == count)
        await server.stop()
    }

    @Test func `best_of returns the most likely of its candidates`() async throws {
        let server = try await TestServer.start()
        let members: JSONObject = ["temperature": 1.5, "seed": 3, "max_tokens": 8, "ignore_eos": true]
        func post(_ more: JSONObject) async throws -> JSONValue {
            var all = members
            for (name, value) in more { all[name] = value }
            return try await server.post("/v1/completions", request(all)).json
        }
        let all = try await post(["n": 6, "logprobs": 0])["choices"]?.array ?? []
        let scored = all.map { choice in
            let logprobs = (choice["logprobs"]?["token_logprobs"]?.array ?? []).compactMap(\.double)
            return (sum: logprobs.reduce(0, +), text: choice["text"]?.string)
        }
        let expected = scored.sorted { $0.sum > $1.sum }.map(\.text)
        #expect(Set(expected).count == 6)
        let best = try await post(["n": 2, "best_of": 6])
        #expect((best["choices"]?.array ?? []).map { $0["text"]?.string } == Array(expected.prefix(2)))
        #expect((best["choices"]?.array ?? []).map { $0["index"]?.integer } == [0, 1])
        #expect(best["choices"]?[0]?["logprobs"] == .null)
        #expect(best["usage"]?["completion_tokens"] == 48)
        await server.stop()
    }

    @Test func `allowed tokens, bad words and names by id`() async throws {
        let server = try await TestServer.start()
        let allowed = try await server.post(
            "/v1/completions",
            request([
                "allowed_token_ids": [50, 60], "return_token_ids": true, "return_tokens_as_token_ids": true,
                "logprobs": 0,
            ]))
        let ids = (allowed.json["choices"]?[0]?["token_ids"]?.array ?? []).compactMap(\.integer)
        #expect(ids.count == 6 && Set(ids).isSubset(of: [50, 60]))
        let names = (allowed.json["choices"]?[0]?["logprobs"]?["tokens"]?.array ?? []).compactMap(\.string)
        #expect(names == ids.map { "token_id:\($0)" })

        let free = try await server.post("/v1/completions", request(["max_tokens": 20]))
        let words = try #require(free.json["choices"]?[0]?["text"]?.string).split(separator: " ").map(String.init)
        let word = try #require(words.first { $0.count > 2 && $0.allSatisfy(\.isLetter) })
        let held = try await server.post("/v1/completions", request(["max_tokens": 20, "bad_words": [.string(word)]]))
        let others = try #require(held.json["choices"]?[0]?["text"]?.string).split(separator: " ").map(String.init)
        #expect(!others.contains(word))
        let none = try await server.post(
            "/v1/completions",
            request(["bad_words": ["the"], "allowed_token_ids": [.integer(Int(try Self.id("the")))]]))
        #expect(none.status == 400 && none.json["error"]?["param"] == "bad_words")
        await server.stop()
    }

    @Test func `requests with different salts share no prefix`() async throws {
        let server = try await TestServer.start()
        func cached(_ salt: String?) async throws -> Int? {
            var members: JSONObject = ["prompt": .array(Array(repeating: 9, count: 100)), "max_tokens": 1]
            if let salt { members["cache_salt"] = .string(salt) }
            return try await server.post("/v1/completions", request(members))
                .json["usage"]?["prompt_tokens_details"]?["cached_tokens"]?.integer
        }
        #expect(try await cached("a") == 0)
        #expect(try await cached("a") == 96)
        #expect(try await cached("b") == 0)
        #expect(try await cached(nil) == 0)
        #expect(try await cached(nil) == 96)
        await server.stop()
    }

    @Test func `a prompt is truncated as requested`() async throws {
        let server = try await TestServer.start()
        func prompt(_ members: JSONObject) async throws -> [JSONValue]? {
            var all: JSONObject = ["prompt": [5, 6, 7, 8, 9], "max_tokens": 1, "return_token_ids": true]
            for (name, value) in members { all[name] = value }
            return try await server.post("/v1/completions", request(all)).json["choices"]?[0]?["prompt_token_ids"]?
                .array
        }
        #expect(try await prompt(["truncate_prompt_tokens": 2]) == [8, 9])
        #expect(try await prompt(["truncate_prompt_tokens": 2, "truncation_side": "right"]) == [5, 6])
        #expect(try await prompt(["truncate_prompt_tokens": 9]) == [5, 6, 7, 8, 9])
        let long = JSONValue.string(String(repeating: Self.story, count: 2000))
        #expect(try await prompt(["prompt": long, "truncate_prompt_tokens": -1])?.count == 2047)
        let ids = JSONValue.array(JSONArray(count: 5000) { _ in 5 })
        let roomy = try await prompt(["prompt": ids, "truncate_prompt_tokens": -1, "max_tokens": 64])
        #expect(roomy?.count == 2048 - 64)
        let embedding = try await server.post("/v1/embeddings", ["input": ids, "truncate_prompt_tokens": -1])
        #expect(embedding.json["usage"]?["prompt_tokens"] == 2048)
        await server.stop()
    }

    @Test func `a final message is continued at the end of its content`() async throws {
        let server = try await TestServer.start()
        for content in ["The fox", "The fox ", "  The\nfox\n"] {
            let body: JSONValue = [
                "messages": [
                    ["role": "user", "content": "The fox?"], ["role": "assistant", "content": .string(content)],
                ],
                "continue_final_message": true,
            ]
            let rendered = try await server.post("/v1/chat/completions/render", body)
            #expect(rendered.json["prompt"]?.string?.hasSuffix(content) == true, "\(content)")
        }
        await server.stop()
    }

    /// The id of a word that is one token.
    private static func id(_ word: String) throws -> Int32 {
        let text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        let ids = text.tokenizer.encode(word, addSpecialTokens: false)
        try #require(ids.count == 1)
        return ids[0]
    }
}
