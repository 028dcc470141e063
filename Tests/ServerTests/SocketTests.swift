import Foundation
import JSON
import TestSupport
import Testing

@testable import Server

/// The whole server over a real socket, driven by libcurl.
@Suite(.serialized) struct SocketTests {
    private let story: JSONValue = ["prompt": "Once upon a time, there was a little fox named Ruby.", "temperature": 0]

    private func request(_ changes: JSONObject) -> JSONValue {
        var object = story.object ?? [:]
        for (name, value) in changes { object[name] = value }
        return .object(object)
    }

    @Test func `a completion equals the reference's, whole and streamed`() async throws {
        let server = try await TestServer.start()
        let golden = try #require(
            try Fixtures.json("model/trinity-tiny-goldens.json")["cases"]?.array?.first {
                $0["name"] == "story_completion"
            })
        let text = try #require(golden["decoded_until_eos"]?.string)

        let whole = try await server.post("/v1/completions", request(["max_tokens": 200]))
        #expect(whole.status == 200)
        #expect(whole.json["choices"]?[0]?["text"]?.string == text)
        #expect(whole.json["choices"]?[0]?["finish_reason"] == "stop")
        #expect(whole.json["usage"]?["prompt_tokens"]?.integer == golden["prompt_ids"]?.array?.count)
        #expect(whole.json["usage"]?["completion_tokens"]?.integer == golden["until_eos_ids"]?.array?.count)
        #expect(whole.header("x-request-id") != nil)

        let stream = try await server.post(
            "/v1/completions",
            request(["max_tokens": 200, "stream": true, "stream_options": ["include_usage": true]]))
        #expect(stream.header("content-type") == "text/event-stream; charset=utf-8")
        #expect(stream.streamedText() == text)
        #expect(stream.events.last == "[DONE]")
        #expect(stream.chunks.dropLast().allSatisfy { $0["usage"] == .null })
        #expect(stream.chunks.last?["usage"] == whole.json["usage"])
        await server.stop()
    }

    @Test func `a client that leaves in the middle of a stream frees its blocks`() async throws {
        let server = try await TestServer.start()
        let response = try await server.post(
            "/v1/completions", request(["max_tokens": 1500, "ignore_eos": true, "stream": true]), leavesAfterBytes: 2000
        )
        #expect(response.isCut)
        let deadline = ContinuousClock.now + .seconds(300)
        while try await server.metric("vllm:kv_cache_usage_perc") != 0 {
            try #require(ContinuousClock.now < deadline, "blocks are still held")
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(try await server.metric("vllm:num_requests_running") == 0)
        #expect(try await server.metric("vllm:request_success_total", label: "\"abort\"") == 1)
        let wasted = try await server.metric("trinity_wasted_tokens_total") ?? 0
        #expect(0 < wasted && wasted < 1500)
        await server.stop()
    }

    @Test func `64 streams at once each get the same text as alone`() async throws {
        let server = try await TestServer.start()
        let prompts = (0..<64).map { "Tell \($0) friends about number \($0 * 37 % 100)." }
        func body(_ prompt: String, _ seed: Int, stream: Bool) -> JSONValue {
            [
                "prompt": .string(prompt), "max_tokens": 24, "temperature": 0.9, "seed": .integer(seed),
                "stream": .bool(stream),
            ]
        }
        let texts = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for (index, prompt) in prompts.enumerated() {
                group.addTask {
                    let response = try await server.post("/v1/completions", body(prompt, index, stream: true))
                    return (index, response.streamedText())
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        #expect(texts.count == 64)
        for index in stride(from: 0, to: 64, by: 9) {
            let alone = try await server.post("/v1/completions", body(prompts[index], index, stream: false))
            #expect(alone.json["choices"]?[0]?["text"]?.string == texts[index])
        }
        #expect(try await server.metric("vllm:kv_cache_usage_perc") == 0)
        await server.stop()
    }

    @Test func `one connection carries a stream and then another request`() async throws {
        let server = try await TestServer.start()
        let first =
            "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        let body = String(decoding: request(["max_tokens": 4, "stream": true]).serialized, as: UTF8.self)
        let text = try await RawClient.exchange(
            port: server.application.address.port,
            first
                + "\(body.utf8.count)\r\n\r\n\(body)GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        #expect(text.components(separatedBy: "HTTP/1.1 200").count == 3)
        #expect(text.contains("data: [DONE]") && text.hasSuffix("{\"status\":\"ok\"}"))
        await server.stop()
    }

    @Test func `invalid requests get their status and an error that names the field`() async throws {
        let server = try await TestServer.start()
        func expect(_ response: CurlResponse, _ status: Int, param: JSONValue, code: String?) {
            #expect(response.status == status)
            #expect(response.json["error"]?["param"] == param)
            #expect(response.json["error"]?["code"]?.string == code)
            #expect(response.json["error"]?["message"]?.string?.isEmpty == false)
        }
        expect(
            try await server.post("/v1/completions", request(["logit_bias": ["5": 101]])), 400, param: "logit_bias",
            code: "invalid_value")
        expect(
            try await server.post("/v1/completions", request(["model": "other"])), 404, param: "model",
            code: "model_not_found")
        let long = try await server.post(
            "/v1/completions", request(["prompt": .array(Array(repeating: 5, count: 3000))]))
        expect(long, 400, param: "prompt", code: "context_length_exceeded")
        #expect(long.json["error"]?["message"]?.string?.contains("2048") == true)
        #expect(long.json["error"]?["message"]?.string?.contains("3000") == true)
        expect(
            try await server.post("/v1/completions", request(["suffix": "x"])), 400, param: "suffix",
            code: "unsupported_parameter")
        expect(try await server.get("/nothing"), 404, param: nil, code: "unknown_url")
        let method = try await server.get("/v1/completions")
        expect(method, 405, param: nil, code: "method_not_allowed")
        #expect(method.header("allow") == "POST")
        let form = try await CurlClient.send(
            CurlRequest(
                url: server.url + "/v1/completions", method: "POST",
                headers: ["Content-Type: application/x-www-form-urlencoded"], body: "{}"))
        expect(form, 415, param: nil, code: "unsupported_media_type")
        let garbage = try await RawClient.exchange(port: server.application.address.port, "\u{1}\u{2} garbage\r\n\r\n")
        #expect(garbage.hasPrefix("HTTP/1.1 400 ") && garbage.contains("\"error\""))
        await server.stop()
    }

    @Test func `a body over the limit is a 413`() async throws {
        let server = try await TestServer.start { $0.maxBodyBytes = 1 << 20 }
        let response = try await server.post(
            "/v1/completions", ["prompt": .string(String(repeating: "a", count: 2 << 20))])
        #expect(response.status == 413)
        #expect(response.json["error"]?["code"] == "body_too_large")
        await server.stop()
    }

    @Test func `a full queue is a 503 with Retry-After`() async throws {
        let server = try await TestServer.start {
            $0.engine.maxSequences = 1
            $0.engine.maxQueuedSequences = 0
        }
        let long = request(["max_tokens": 1500, "ignore_eos": true, "stream": true])
        async let running = server.post("/v1/completions", long, leavesAfterBytes: 100_000)
        let deadline = ContinuousClock.now + .seconds(300)
        while try await server.metric("vllm:num_requests_running") != 1 {
            try #require(ContinuousClock.now < deadline)
            try await Task.sleep(for: .milliseconds(5))
        }
        let refused = try await server.post("/v1/completions", story)
        #expect(refused.status == 503)
        #expect(refused.json["error"]?["code"] == "server_overloaded")
        #expect(1...120 ~= refused.header("retry-after").flatMap { Int($0) } ?? 0)
        _ = try await running
        await server.stop()
    }

    @Test func `a request beyond the total capacity is a 400`() async throws {
        let server = try await TestServer.start {
            $0.engine.maxSequences = 2
            $0.engine.maxQueuedSequences = 1
        }
        let prompts: JSONValue = ["one", "two", "three", "four"]
        let many = try await server.post("/v1/completions", request(["prompt": prompts, "max_tokens": 1]))
        #expect(many.status == 400 && many.json["error"]?["param"] == "prompt")
        let choices = try await server.post("/v1/completions", request(["n": 4, "max_tokens": 1]))
        #expect(choices.status == 400 && choices.json["error"]?["param"] == "n")
        #expect(choices.json["error"]?["message"]?.string?.contains("at most 3") == true)
        #expect(try await server.post("/v1/completions", request(["n": 3, "max_tokens": 1])).status == 200)
        await server.stop()
    }

    @Test func `until the model is loaded every request but health is told to come back`() async throws {
        let server = try await TestServer.startWithoutWaiting()
        // The model may be there already; then there is nothing to see, and waiting shows that it became ready.
        let early = try await server.get("/ready")
        #expect(early.status == 503 && early.header("retry-after") != nil || early.status == 200)
        #expect(try await server.get("/health").status == 200)
        try await server.application.waitUntilReady()
        #expect(try await server.get("/ready").status == 200)
        await server.stop()
    }

    @Test func `a drain lets a stream finish while new requests get 503`() async throws {
        let server = try await TestServer.start()
        let long = request(["max_tokens": 400, "ignore_eos": true, "stream": true])
        async let running = server.post("/v1/completions", long)
        let deadline = ContinuousClock.now + .seconds(300)
        while try await server.metric("vllm:num_requests_running") != 1 {
            try #require(ContinuousClock.now < deadline)
            try await Task.sleep(for: .milliseconds(2))
        }
        async let drained: Void = server.stop()
        var refused = try await server.post("/v1/completions", story)
        while refused.status == 200 { refused = try await server.post("/v1/completions", story) }
        #expect(refused.status == 503)
        #expect(refused.json["error"]?["code"] == "server_draining")
        let stream = try await running
        #expect(stream.events.last == "[DONE]")
        #expect(stream.chunks.last?["choices"]?[0]?["finish_reason"] == "length")
        await drained
    }

    @Test func `a client that does not read does not delay a drain`() async throws {
        let server = try await TestServer.start { $0.drainTimeout = .milliseconds(100) }
        // The replies are larger than the kernel's buffers.
        let requests = String(repeating: "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 1000)
        let client = try RawClient.send(port: server.application.address.port, requests)
        defer { close(client) }
        _ = try await server.get("/health")
        try await Task.sleep(for: .milliseconds(300))
        let start = ContinuousClock.now
        await server.stop()
        #expect(ContinuousClock.now - start < .seconds(20))
    }
}
