import Foundation
import Glibc
import HTTPTypes
import JSON
import TestSupport
import Testing

@testable import Server

/// Requests with timeouts, and requests with priorities, over a real socket.
@Suite(.serialized) struct DeadlineTests {
    private func body(_ changes: JSONObject) -> JSONValue {
        var object: JSONObject = [
            "prompt": [1, 2, 3, 4, 5], "temperature": 0, "ignore_eos": true, "max_tokens": 1500,
        ]
        for (name, value) in changes { object[name] = value }
        return .object(object)
    }

    /// Eight long choices, one after the other if one runs at a time; until the socket is closed.
    private func occupy(_ server: TestServer) throws -> Int32 {
        let text = String(decoding: body(["n": 8, "stream": true]).serialized, as: UTF8.self)
        return try RawClient.send(
            port: server.application.address.port,
            "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
        )
    }

    private func wait(for server: TestServer, _ name: String, atLeast value: Double) async throws {
        let deadline = ContinuousClock.now + .seconds(300)
        while try await server.metric(name) ?? 0 < value {
            try #require(ContinuousClock.now < deadline, "\(name) does not reach \(value) in time")
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test func `a request that exceeds its timeout gets 504, or an error in its stream, and is aborted`() async throws {
        let server = try await TestServer.start()
        for (changes, headers) in [(["timeout": 0.05], []), ([:], ["x-request-timeout: 0.05"])]
            as [(JSONObject, [String])]
        {
            let late = try await server.post("/v1/completions", body(changes), headers: headers)
            #expect(late.status == 504)
            #expect(late.json["error"]?["code"] == "deadline_exceeded" && late.json["error"]?["type"] == "server_error")
            #expect(late.header("x-should-retry") == "false" && late.header("retry-after") == nil)
        }
        // On a busy machine a short time may pass before the first token.
        var timeout = 0.2
        var stream: CurlResponse
        repeat {
            timeout *= 2
            stream = try await server.post(
                "/v1/completions", body(["timeout": .double(timeout), "stream": true, "n": 8]))
        } while stream.status != 200 && timeout < 60
        #expect(stream.status == 200 && stream.events.last == "[DONE]")
        #expect(stream.chunks.last?["error"]?["code"] == "deadline_exceeded")
        // The reply does not wait for the engine, which checks deadlines at the end of its step.
        while try await server.metric("vllm:request_success_total", label: "\"abort\"") ?? 0 < 8 {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try await server.metric("trinity_wasted_tokens_total") ?? 0 > 0)
        #expect(try await server.metric("vllm:kv_cache_usage_perc") == 0)
        let prompt = try await server.post("/v1/completions", body(["timeout": 60, "max_tokens": 3]))
        #expect(prompt.status == 200)
        await server.stop()
    }

    @Test func `a request whose deadline passes before its admission never starts`() async throws {
        let server = try await TestServer.start {
            $0.engine.maxSequences = 1
            // The estimate would refuse it at once.
            $0.queueBounds.wait = nil
        }
        let running = try occupy(server)
        try await wait(for: server, "vllm:num_requests_running", atLeast: 1)
        let late = try await server.post("/v1/completions", body(["prompt": [1], "timeout": 0.05]))
        #expect(late.status == 504)
        // The choices that run in the meantime have five tokens each.
        let tokens = try #require(try await server.metric("vllm:prompt_tokens_total"))
        #expect(tokens.truncatingRemainder(dividingBy: 5) == 0, "\(tokens)")
        close(running)
        await server.stop()
    }

    @Test(arguments: ["", "0", "-1", "soon", "nan", "1e9", "0x10"])
    func `an invalid timeout header is refused with its name`(value: String) throws {
        let name = try #require(HTTPField.Name("X-Request-Timeout"))
        let error = try #require(throws: APIError.self) { try RequestTimeout.read([name: value]) }
        #expect(error.param == "x-request-timeout" && error.status == .badRequest)
        #expect(try RequestTimeout.read([name: "2.5"]) == .seconds(2.5))
        #expect(try RequestTimeout.read([:]) == nil)
    }

    @Test func `too many waiting tokens are a 503, and a single request is served whatever its length`() async throws {
        let server = try await TestServer.start {
            $0.engine.maxSequences = 1
            $0.queueBounds.tokens = 8
        }
        let long = JSONValue.array(Array(repeating: 5, count: 40))
        #expect(try await server.post("/v1/completions", body(["prompt": long, "max_tokens": 1])).status == 200)
        let running = try occupy(server)
        try await wait(for: server, "vllm:generation_tokens_total", atLeast: 2)
        async let waiting = server.post("/v1/completions", body(["prompt": [5, 6, 7], "max_tokens": 1]))
        try await wait(for: server, "vllm:num_requests_waiting", atLeast: 8)
        let refused = try await server.post("/v1/completions", body(["prompt": long, "max_tokens": 1]))
        #expect(refused.status == 503 && refused.json["error"]?["code"] == "server_overloaded")
        #expect(refused.header("retry-after").flatMap { Int($0) }.map { (1...120).contains($0) } == true)
        #expect(
            try await server.metric("vllm:admission_rejections_total", label: "\"max_num_queued_tokens\"") == 1)
        close(running)
        #expect(try await waiting.status == 200)
        await server.stop()
    }
}
