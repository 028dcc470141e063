import JSON
import Testing

@testable import Server

/// Requests and tokens per minute, computed by hand.
@Suite struct RateLimiterTests {
    private let start = ContinuousClock.now

    private func limits(requests: Int? = nil, tokens: Int? = nil) -> RateLimits {
        var limits = RateLimits()
        limits.requestsPerMinute = requests
        limits.tokensPerMinute = tokens
        return limits
    }

    @Test func `a minute's requests may come at once, then they are refilled at a constant rate`() {
        var limiter = RateLimiter()
        let limits = limits(requests: 4)
        for left in [3, 2, 1, 0] {
            let standing = limiter.admit("ann", limits, now: start)
            #expect(standing.retryAfter == nil && standing.requests?.remaining == left)
        }
        let refused = limiter.admit("ann", limits, now: start)
        #expect(refused.retryAfter == 15 && refused.exhausted == .requests && refused.requests?.reset == 60)
        #expect(limiter.admit("bob", limits, now: start).retryAfter == nil, "another key has its own")
        #expect(limiter.admit("ann", limits, now: start + .seconds(14)).retryAfter != nil)
        #expect(limiter.admit("ann", limits, now: start + .seconds(16)).retryAfter == nil)
        let rested = limiter.admit("ann", limits, now: start + .seconds(3600))
        #expect(rested.requests?.remaining == 3, "no more than a minute's worth is saved up")
    }

    @Test func `tokens are counted when they are known, and an excess must be waited for`() {
        var limiter = RateLimiter()
        let limits = limits(tokens: 600)
        #expect(limiter.admit("ann", limits, now: start).tokens?.remaining == 600)
        limiter.take(1200, of: "ann")
        let refused = limiter.admit("ann", limits, now: start)
        #expect(refused.exhausted == .tokens && refused.tokens?.remaining == 0)
        // 600 in debt and one needed, at 10 per second.
        #expect(abs((refused.retryAfter ?? 0) - 60.1) < 1e-9)
        #expect(limiter.admit("ann", limits, now: start + .seconds(61)).retryAfter == nil)
    }

    @Test func `a refused request takes nothing`() {
        var limiter = RateLimiter()
        let limits = limits(requests: 1, tokens: 60)
        _ = limiter.admit("ann", limits, now: start)
        for _ in 0..<5 { _ = limiter.admit("ann", limits, now: start) }
        #expect(limiter.admit("ann", limits, now: start + .seconds(60)).retryAfter == nil)
    }

    @Test func `without limits there are no fields`() {
        var limiter = RateLimiter()
        #expect(limiter.admit("ann", RateLimits(), now: start).fields.isEmpty)
    }

    @Test func `a key's own limits override the server's`() {
        let filled = limits(requests: 5).filled(from: limits(requests: 1, tokens: 2))
        #expect(filled == limits(requests: 5, tokens: 2))
    }

    @Test(arguments: [
        (0, "0ms"), (0.0201, "21ms"), (1, "1s"), (1.5, "1.5s"), (59.94, "59.9s"), (60, "1m0s"), (361, "6m1s"),
    ])
    func `times have OpenAI's format`(seconds: Double, text: String) {
        #expect(RateLimiter.Standing.text(seconds: seconds) == text)
    }

    @Test func `a server refuses with 429 and reports the key's limits`() async throws {
        let server = try await TestServer.start { configuration in
            try? configuration.apiKeys.add("one", name: "ann", limits: limits(requests: 2))
            try? configuration.apiKeys.add("two", name: "bob", limits: limits(tokens: 5))
        }
        let body: JSONValue = ["prompt": [1, 2, 3, 4], "max_tokens": 3, "ignore_eos": true]
        let start = ContinuousClock.now
        for left in ["1", "0"] {
            let reply = try await server.post("/v1/completions", body, headers: ["Authorization: Bearer one"])
            #expect(reply.status == 200 && reply.header("x-ratelimit-remaining-requests") == left)
            #expect(reply.header("x-ratelimit-limit-requests") == "2")
        }
        let refused = try await server.post("/v1/completions", body, headers: ["Authorization: Bearer one"])
        #expect(refused.status == 429)
        #expect(refused.json["error"]?["code"] == "rate_limit_exceeded" && refused.json["error"]?["type"] == "requests")
        let wait = try #require(refused.header("retry-after").flatMap { Int($0) })
        // About half a minute after the first; a busy machine may have taken part of it.
        let passed = (ContinuousClock.now - start) / .seconds(1)
        #expect(Double(wait) > 29 - passed && wait <= 30, "\(passed) s have passed")
        // Requests with a body cost time, even if they do not use the model.
        for path in ["/tokenize", "/detokenize", "/v1/chat/completions/render", "/v1/messages/count_tokens"] {
            let reply = try await server.post(path, ["prompt": "a"], headers: ["Authorization: Bearer one"])
            #expect(reply.status == 429, "\(path)")
        }

        let first = try await server.post("/v1/completions", body, headers: ["Authorization: Bearer two"])
        #expect(first.status == 200)
        let second = try await server.post("/v1/messages", body, headers: ["Authorization: Bearer two"])
        #expect(second.status == 429 && second.json["error"]?["type"] == "rate_limit_error")
        #expect(try await server.metric("trinity_rate_limited_requests_total", label: "requests") == 5)
        #expect(try await server.metric("trinity_rate_limited_requests_total", label: "tokens") == 1)
        #expect(try await server.metric("trinity_key_requests_total", label: "ann") == 2)
        #expect(try await server.metric("trinity_key_prompt_tokens_total", label: "bob") == 4)
        #expect(try await server.metric("trinity_key_generation_tokens_total", label: "bob") == 3)
        await server.stop()
    }
}
