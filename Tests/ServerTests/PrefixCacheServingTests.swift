import JSON
import Testing

@testable import Server

/// The prefix cache from the view of clients and dashboards.
@Suite struct PrefixCacheServingTests {
    private static let body: JSONValue = [
        "prompt": .array((0..<100).map { .integer(20 + $0) }), "max_tokens": 5, "seed": 1, "ignore_eos": true,
    ]

    @Test func `a prompt sent again reports its cached tokens, and the metrics agree`() async throws {
        let server = try await TestServer.start()
        let first = try await server.post("/v1/completions", Self.body)
        let second = try await server.post("/v1/completions", Self.body)
        #expect(first.json["usage"]?["prompt_tokens_details"]?["cached_tokens"] == 0)
        #expect(second.json["usage"]?["prompt_tokens_details"]?["cached_tokens"] == 96)
        #expect(first.json["choices"]?[0]?["text"] == second.json["choices"]?[0]?["text"])
        #expect(try await server.metric("vllm:prefix_cache_queries_total") == 200)
        #expect(try await server.metric("vllm:prefix_cache_hits_total") == 96)
        #expect(try await server.metric("vllm:kv_cache_usage_perc") == 0)
        #expect(try await server.metric("trinity_kv_cache_blocks", label: "\"cached\"") ?? 0 > 0)
        await server.stop()
    }

    @Test func `nothing is cached if the cache is disabled`() async throws {
        let server = try await TestServer.start { $0.engine.cachesPrefixes = false }
        for _ in 0..<2 {
            let reply = try await server.post("/v1/completions", Self.body)
            #expect(reply.json["usage"]?["prompt_tokens_details"]?["cached_tokens"] == 0)
        }
        #expect(try await server.metric("vllm:prefix_cache_queries_total") == 0)
        #expect(try await server.metric("trinity_kv_cache_blocks", label: "\"cached\"") == 0)
        await server.stop()
    }
}
