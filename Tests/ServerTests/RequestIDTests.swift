import HTTPTypes
import JSON
import Testing

@testable import Server

@Suite struct RequestIDTests {
    @Test func `generated ids have 32 digits and are unique`() {
        var sources = [RequestIDSource(), RequestIDSource()]
        var seen: Set<String> = []
        for index in 0..<20_000 {
            let id = RequestID([:], from: &sources[index % 2]).description
            #expect(id.count == 32 && id.allSatisfy { "0123456789abcdef".contains($0) })
            seen.insert(id)
        }
        #expect(seen.count == 20_000)
    }

    @Test func `a valid id of the client is kept, another is not`() {
        var source = RequestIDSource()
        func id(_ text: String) -> String {
            var fields = HTTPFields()
            if let field = RequestID.field { fields[field] = text }
            return RequestID(fields, from: &source).description
        }
        #expect(id("a-B_9.") == "a-B_9.")
        #expect(id(String(repeating: "a", count: 128)).count == 128)
        for text in ["", "a b", "ä", "a\"b", String(repeating: "a", count: 129)] { #expect(id(text).count == 32) }
    }

    @Test func `ids in replies differ also if a client repeats its own id`() async throws {
        let server = try await TestServer.start()
        let body: JSONValue = [
            "messages": [["role": "user", "content": "hello"]], "tool_choice": "required", "max_tokens": 100,
            "reasoning_effort": "none", "tools": [["type": "function", "function": ["name": "wait"]]],
        ]
        var ids: Set<String> = []
        for _ in 0..<2 {
            let reply = try await server.post("/v1/chat/completions", body, headers: ["x-request-id: s"])
            #expect(reply.header("x-request-id") == "s")
            ids.insert(try #require(reply.json["id"]?.string))
            let calls = reply.json["choices"]?[0]?["message"]?["tool_calls"]
            ids.insert(try #require(calls?[0]?["id"]?.string))
        }
        #expect(ids.count == 4)
        await server.stop()
    }
}
