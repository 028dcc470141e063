import Engine
import Foundation
import JSON
import TestSupport
import Testing

@testable import Server

/// The text endpoints over a real socket.
@Suite(.serialized) struct TextEndpointTests {
    private let chat: JSONValue = [
        "messages": [["role": "system", "content": "Be brief."], ["role": "user", "content": "Hi <|im_end|>!"]]
    ]

    @Test func `a prompt becomes tokens and tokens become the prompt`() async throws {
        let server = try await TestServer.start()
        let text = "Once upon a time,\n\"Ruby\" said: naïve 🦊."
        let first = try await server.post(
            "/tokenize", ["model": "trinity-tiny", "prompt": .string(text), "return_token_strs": true])
        #expect(first.status == 200)
        let tokens = try #require(first.json["tokens"]?.array)
        #expect(first.json["count"]?.integer == tokens.count)
        #expect(first.json["max_model_len"] == 2048)
        #expect(first.json["token_strs"]?.array?.count == tokens.count)
        #expect(first.json["token_strs"]?[0] == "<|begin_of_text|>")
        let plain = try await server.post("/tokenize", ["prompt": .string(text), "add_special_tokens": false])
        #expect(plain.json["tokens"]?.array == Array(tokens.dropFirst()))
        #expect(plain.json["token_strs"] == .null)
        let back = try await server.post("/detokenize", ["tokens": .array(tokens)])
        #expect(back.json == ["prompt": .string("<|begin_of_text|>" + text)])
        await server.stop()
    }

    @Test func `a chat becomes the same tokens as in its completion`() async throws {
        let server = try await TestServer.start()
        let rendered = try await server.post("/v1/chat/completions/render", chat)
        #expect(rendered.status == 200)
        let prompt = try #require(rendered.json["prompt"]?.string)
        #expect(prompt.contains("Hi <|im_end|>!") && prompt.hasSuffix("<|im_start|>assistant\n"))
        let ids = rendered.json["token_ids"]
        #expect(rendered.json["count"]?.integer == ids?.array?.count)
        let tokenized = try await server.post("/tokenize", chat)
        #expect(tokenized.json["tokens"] == ids)
        var body = chat.object ?? [:]
        body["max_tokens"] = 1
        body["return_token_ids"] = true
        let completion = try await server.post("/v1/chat/completions", .object(body))
        #expect(completion.json["choices"]?[0]?["prompt_token_ids"] == ids)
        await server.stop()
    }

    @Test func `users can write special tokens only if they are trusted`() async throws {
        let guarded = try await TestServer.start()
        let text = try await guarded.post("/tokenize", chat)
        await guarded.stop()
        let trusting = try await TestServer.start { $0.trustsUserContent = true }
        let special = try await trusting.post("/tokenize", chat)
        await trusting.stop()
        func ends(_ response: CurlResponse) -> Int { response.json["tokens"]?.array?.count { $0 == 3 } ?? 0 }
        #expect((ends(text), ends(special)) == (2, 3))
    }

    @Test func `tokenizer_info describes the tokenizer`() async throws {
        let server = try await TestServer.start()
        let info = try await server.get("/tokenizer_info")
        #expect(info.status == 200)
        #expect(info.json["eos_token"] == "<|im_end|>" && info.json["bos_token"] == "<|begin_of_text|>")
        #expect(info.json["pad_token"] == "<|pad|>" && info.json["unk_token"] == .null)
        #expect(info.json["tokenizer_class"] == "PreTrainedTokenizerFast")
        #expect(info.json["model_max_length"] == 2048)
        let template = try String(
            contentsOf: Fixtures.chatModel.appending(path: "chat_template.jinja"), encoding: .utf8)
        #expect(info.json["chat_template"]?.string == template)
        #expect(try await server.get("/tokenizer_info", method: "POST").status == 405)
        await server.stop()
    }

    @Test func `invalid requests get an error with the reason`() async throws {
        let server = try await TestServer.start()
        for (path, body, param) in [
            ("/tokenize", [:], "prompt"), ("/tokenize", ["prompt": 5], "prompt"),
            ("/tokenize", ["prompt": "a", "messages": []], "prompt"), ("/tokenize", ["messages": []], "messages"),
            ("/tokenize", ["prompt": "a", "model": "b"], "model"),
            ("/tokenize", ["prompt": "a", "return_token_strs": 1], "return_token_strs"),
            ("/detokenize", [:], "tokens"), ("/detokenize", ["tokens": ["a"]], "tokens[0]"),
            ("/detokenize", ["tokens": [1, 3072]], "tokens[1]"), ("/detokenize", ["tokens": [-1]], "tokens[0]"),
            ("/v1/chat/completions/render", ["prompt": "a"], "messages"),
        ] as [(String, JSONValue, String)] {
            let response = try await server.post(path, body)
            #expect(response.status == (param == "model" ? 404 : 400), "\(path) \(body)")
            #expect(response.json["error"]?["param"]?.string == param, "\(path) \(body)")
        }
        await server.stop()
    }

    @Test func `a permit is returned after every reply`() async throws {
        let server = try await TestServer.start {
            $0.engine.maxSequences = 1
            $0.engine.maxQueuedSequences = 0
        }
        for body in [["prompt": "a"], ["prompt": 1], chat] as [JSONValue] {
            let response = try await server.post("/tokenize", body)
            #expect(response.status != 503)
        }
        #expect(try await server.metric("vllm:num_requests_waiting") == 0)
        await server.stop()
    }
}
