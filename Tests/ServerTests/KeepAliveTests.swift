import TestSupport
import Testing

@testable import Server

/// Signs of life in streams that have nothing to say.
@Suite struct KeepAliveTests {
    /// A server that runs one sequence at a time, and a long reply.
    private func busyServer() async throws -> (TestServer, Task<CurlResponse, any Error>) {
        let server = try await TestServer.start {
            $0.keepAliveInterval = .milliseconds(100)
            // By an estimate what follows would be refused at once.
            $0.queueBounds.wait = nil
            $0.engine.maxSequences = 1
        }
        let busy = Task {
            try await server.post(
                "/v1/completions", ["prompt": [5], "max_tokens": 1500, "ignore_eos": true, "stream": true])
        }
        while try await server.metric("vllm:num_requests_running") != 1 { try await Task.sleep(for: .milliseconds(5)) }
        return (server, busy)
    }

    @Test func `a stream that waits sends comments, and then what it has to say`() async throws {
        let (server, busy) = try await busyServer()
        let waiting = try await server.post(
            "/v1/completions", ["prompt": [6], "max_tokens": 3, "ignore_eos": true, "stream": true])
        #expect(waiting.status == 200)
        #expect(waiting.body.hasPrefix(": keep-alive\n\n"))
        #expect(waiting.body.hasSuffix("data: [DONE]\n\n"))
        #expect(waiting.chunks.last?["choices"]?[0]?["finish_reason"] == "length")
        // What is said does not change by it.
        #expect(try await busy.value.chunks.last?["choices"]?[0]?["finish_reason"] == "length")
        await server.stop()
    }

    @Test func `an error after the first comment comes in the stream`() async throws {
        let (server, busy) = try await busyServer()
        let late = try await server.post(
            "/v1/completions", ["prompt": [6], "max_tokens": 3, "stream": true, "timeout": 0.4])
        #expect(late.status == 200 && late.body.hasPrefix(": keep-alive\n\n"))
        #expect(late.chunks.last?["error"]?["code"] == "deadline_exceeded")
        // A whole reply waits in silence and has its own status.
        let whole = try await server.post("/v1/completions", ["prompt": [6], "max_tokens": 3, "timeout": 0.3])
        #expect(whole.status == 504)
        _ = try await busy.value
        await server.stop()
    }
}
