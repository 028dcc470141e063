import Glibc
import JSON
import TestSupport
import Testing

@testable import Server

/// Comments in silent streams.
@Suite struct KeepAliveTests {
    /// A server that runs one sequence at a time.
    private func serialServer() async throws -> TestServer {
        try await TestServer.start {
            $0.keepAliveInterval = .milliseconds(100)
            // The estimate would refuse the following requests at once.
            $0.queueBounds.wait = nil
            $0.engine.maxSequences = 1
        }
    }

    /// A request with this many choices, which take about a second each.
    private func long(choices: Int) -> JSONValue {
        ["prompt": [5], "max_tokens": 1500, "n": .integer(choices), "ignore_eos": true, "stream": true]
    }

    private func waitUntilBusy(_ server: TestServer) async throws {
        while try await server.metric("vllm:num_requests_running") != 1 { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func `a waiting stream sends comments, and then its output`() async throws {
        let server = try await serialServer()
        let busy = Task { try await server.post("/v1/completions", long(choices: 2)) }
        try await waitUntilBusy(server)
        let waiting = try await server.post(
            "/v1/completions", ["prompt": [6], "max_tokens": 3, "ignore_eos": true, "stream": true])
        #expect(waiting.status == 200)
        #expect(waiting.body.hasPrefix(": keep-alive\n\n"))
        #expect(waiting.body.hasSuffix("data: [DONE]\n\n"))
        #expect(waiting.chunks.last?["choices"]?[0]?["finish_reason"] == "length")
        // The output is not affected.
        #expect(try await busy.value.chunks.last?["choices"]?[0]?["finish_reason"] == "length")
        await server.stop()
    }

    @Test func `an error after the first comment comes in the stream`() async throws {
        let server = try await serialServer()
        let busy = try RawClient.complete(server, long(choices: 8))
        try await waitUntilBusy(server)
        // A busy machine may need all of a short time to prepare the request.
        var timeout = 0.2
        var late: CurlResponse
        repeat {
            timeout *= 2
            late = try await server.post(
                "/v1/completions",
                ["prompt": [6], "max_tokens": 3, "stream": true, "timeout": .double(timeout)])
        } while late.status != 200 && timeout < 60
        #expect(late.status == 200 && late.body.hasPrefix(": keep-alive\n\n"))
        #expect(late.chunks.last?["error"]?["code"] == "deadline_exceeded")
        // A whole reply sends no comments and has its own status.
        let whole = try await server.post("/v1/completions", ["prompt": [6], "max_tokens": 3, "timeout": 0.3])
        #expect(whole.status == 504)
        close(busy)
        await server.stop()
    }
}
