import JSON
import TestSupport
import Testing

@testable import Server

@Suite struct PromptProgressTests {
    @Test func `a stream reports the progress of its prompt`() async throws {
        let server = try await TestServer.start {
            $0.engine.maxSequences = 2
            $0.engine.maxBatchedTokens = 64
        }
        let body: JSONObject = [
            "prompt": .array((0..<300).map { .integer(20 + $0 % 50) }), "max_tokens": 2, "ignore_eos": true,
            "return_progress": true, "stream": true,
        ]
        let stream = try await server.post("/v1/completions", .object(body))
        let progress = stream.chunks.compactMap { $0["prompt_progress"] }
        let processed = progress.compactMap { $0["processed"]?.integer }
        // Steps may be reported together.
        #expect(
            !processed.isEmpty && processed == processed.sorted() && Set(processed).isSubset(of: [64, 128, 192, 256]))
        #expect(progress.allSatisfy { $0["total"] == 300 && $0["cache"] == 0 })
        #expect(stream.chunks.filter { $0["prompt_progress"] != nil }.allSatisfy { $0["choices"] == [] })
        #expect(stream.chunks.last?["choices"]?[0]?["finish_reason"] == "length")

        var plain = body
        plain["return_progress"] = false
        #expect(
            try await server.post("/v1/completions", .object(plain)).chunks.allSatisfy { $0["prompt_progress"] == nil })
        await server.stop()
    }
}
