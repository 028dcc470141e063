import Foundation
import JSON
import Testing

@testable import Server

@Suite struct EmbeddingEndpointTests {
    private func vectors(_ reply: JSONValue) -> [[Double]] {
        (reply["data"]?.array ?? []).map { ($0["embedding"]?.array ?? []).compactMap(\.double) }
    }

    @Test func `inputs of every form have vectors of length 1, in both encodings`() async throws {
        let server = try await TestServer.start()
        let validator = SchemaValidator(document: try OpenAPIDocument.load())
        let schema: JSONValue = ["$ref": "#/components/schemas/EmbeddingResponse"]
        let tokens = try await server.post("/tokenize", ["prompt": "Once upon a time"]).json["tokens"] ?? .null
        let inputs: [(JSONValue, Int)] = [
            ("Once upon a time", 1), (["Once upon a time", "two"], 2), (tokens, 1), ([tokens, [5, 6]], 2),
            (["two", tokens], 2),
        ]
        var first: [[Double]] = []
        for (input, count) in inputs {
            let reply = try await server.post("/v1/embeddings", ["input": input, "user": "me"])
            #expect(reply.status == 200 && validator.violations(of: reply.json, against: schema) == [])
            let found = vectors(reply.json)
            #expect(found.count == count && found.allSatisfy { abs($0.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5 })
            if first.isEmpty { first = found }
            #expect(found.contains(first[0]), "the same tokens have the same vector")
        }
        let plain = try await server.post("/embeddings", ["input": "two", "encoding_format": "float"]).json
        let coded = try await server.post("/v1/embeddings", ["input": "two", "encoding_format": "base64"]).json
        #expect(validator.violations(of: coded, against: schema) == [])
        let text = try #require(coded["data"]?.array?.first?["embedding"]?.string)
        let bytes = try #require(Data(base64Encoded: text))
        let numbers = stride(from: 0, to: bytes.count, by: 4).map { start in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) })
        }
        #expect(numbers == vectors(plain)[0].map(Float.init))
        #expect(plain["usage"]?["prompt_tokens"] == plain["usage"]?["total_tokens"])
        #expect(try await server.metric("vllm:num_requests_running") == 0)
        await server.stop()
    }

    @Test func `an invalid embedding request is refused with the parameter`() async throws {
        let server = try await TestServer.start { $0.servedModelNames = ["tiny"] }
        let long = JSONValue.array(JSONArray(count: 5000) { _ in .integer(5) })
        for (body, status, param) in [
            (["input": "a", "dimensions": 64], 400, "dimensions"), (["input": []], 400, "input"),
            (["input": [[]]], 400, "input[0]"), (["input": ["a", 5]], 400, "input[1]"),
            (["input": [-1]], 400, "input[0]"), ([:], 400, "input"), (["input": long], 400, "input"),
            (["input": "a", "encoding_format": "int8"], 400, "encoding_format"),
            (["input": "a", "model": "other"], 404, "model"),
            (["input": .array(JSONArray(count: 1025) { _ in "a" })], 400, "input"),
            (["input": "a", "timeout": 0], 400, "timeout"),
        ] as [(JSONValue, Int, String)] {
            let reply = try await server.post("/v1/embeddings", body)
            #expect(reply.status == status && reply.json["error"]?["param"]?.string == param, "\(reply.body)")
        }
        let refusal = try await server.post("/v1/embeddings", ["input": "a", "dimensions": 64]).json
        #expect(refusal["error"]?["message"]?.string?.contains("must be 256 or left out") == true)
        #expect(try await server.post("/v1/embeddings", ["input": "a", "dimensions": 256]).status == 200)
        await server.stop()
    }

    @Test func `keys, deadlines and disconnects work as for other endpoints`() async throws {
        let server = try await TestServer.start { try? $0.apiKeys.add("secret", name: "ann") }
        #expect(try await server.post("/v1/embeddings", ["input": "a"]).status == 401)
        let key = ["x-api-key: secret"]
        let many = JSONValue.array(JSONArray(count: 100) { _ in .array(JSONArray(count: 1000) { _ in .integer(7) }) })
        let late = try await server.post("/v1/embeddings", ["input": many, "timeout": 0.2], headers: key)
        #expect(late.status == 504)
        #expect(try await server.post("/v1/embeddings", ["input": "a"], headers: key).status == 200)
        await server.stop()
    }
}
