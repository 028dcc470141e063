import JSON
import Synchronization
import Testing

@testable import Server

/// API keys as tenants, from request to engine.
@Suite(.serialized) struct TenantTests {
    /// The keys of served requests, in order.
    private final class Order: Sendable {
        private let list = Mutex<[String]>([])
        var names: [String] { list.withLock { $0 } }
        func append(_ name: String) { list.withLock { $0.append(name) } }
    }

    private func server(_ change: (inout ServerConfiguration) -> Void = { _ in }) async throws -> TestServer {
        try await TestServer.start { configuration in
            try? configuration.apiKeys.add(file: "ann one\nbob two\nroot three min-priority=-10\n")
            change(&configuration)
        }
    }

    private func complete(
        _ server: TestServer, key: String, _ body: JSONObject
    ) async throws -> CurlResponse {
        try await server.post("/v1/completions", .object(body), headers: ["Authorization: Bearer \(key)"])
    }

    @Test func `if one sequence runs, the second key's request does not wait for all of the first one's`() async throws
    {
        let server = try await server { $0.engine.maxSequences = 1 }
        var replies: [String] = []
        // On a busy machine, the second key's request may arrive after all others have been served. If keys did not take turns, it
        // would be the last one in each attempt.
        for _ in 0..<3 where replies.last ?? "bob" == "bob" { replies = try await repliesOfTwoKeys(server) }
        #expect(replies.count == 13 && replies.last != "bob", "\(replies)")
        await server.stop()
    }

    /// Sends twelve requests of one key and then one of another. Returns the names of the replies, in order.
    private func repliesOfTwoKeys(_ server: TestServer) async throws -> [String] {
        let order = Order()
        let body: JSONObject = ["prompt": [1, 2, 3], "max_tokens": 300, "ignore_eos": true]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<12 {
                group.addTask {
                    let reply = try await complete(server, key: "one", body)
                    #expect(reply.status == 200)
                    order.append("ann\(index)")
                }
            }
            // The queue exists before bob's request arrives.
            while try await server.metric("vllm:num_requests_waiting") ?? 0 < 8 {
                guard order.names.count < 4 else { break }
            }
            group.addTask {
                let reply = try await complete(server, key: "two", ["prompt": [1, 2, 3], "max_tokens": 1])
                #expect(reply.status == 200)
                order.append("bob")
            }
            try await group.waitForAll()
        }
        return order.names
    }

    @Test func `one key cannot see in cached tokens what another has sent`() async throws {
        for shares in [false, true] {
            let server = try await server { $0.sharesPrefixCache = shares }
            let prompt = JSONValue.array((0..<300).map { .integer(100 + $0) })
            func cached(_ key: String, _ more: JSONObject = [:]) async throws -> Int? {
                var body: JSONObject = ["prompt": prompt, "max_tokens": 1]
                for (name, value) in more { body[name] = value }
                let reply = try await complete(server, key: key, body)
                return reply.json["usage"]?["prompt_tokens_details"]?["cached_tokens"]?.integer
            }
            #expect(try await cached("one") == 0)
            #expect(try await cached("one") ?? 0 > 200)
            #expect((try await cached("two") ?? 0 > 200) == shares)
            // A salt with the name of the other key does not help.
            #expect(try await cached("two", ["cache_salt": "ann"]) == 0)
            await server.stop()
        }
    }

    @Test func `the priority of a key's requests is limited by its line in the file`() async throws {
        let server = try await server()
        func status(_ key: String, _ priority: Int) async throws -> CurlResponse {
            try await complete(
                server, key: key, ["prompt": [1, 2], "max_tokens": 1, "priority": .integer(priority)])
        }
        let refused = try await status("one", -1)
        #expect(refused.status == 400 && refused.json["error"]?["param"] == "priority")
        #expect(try await status("one", 0).status == 200)
        #expect(try await status("three", -10).status == 200)
        #expect(try await status("three", -11).status == 400)
        await server.stop()
    }

    @Test func `one key with many choices leaves room for another`() async throws {
        let server = try await server {
            $0.engine.maxSequences = 4
            $0.engine.maxQueuedSequences = 12
        }
        // Keeps its place until the other request has been served.
        let hog: JSONObject = ["prompt": [1, 2, 3], "max_tokens": 1500, "ignore_eos": true, "n": 4]
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<6 { group.addTask { try await complete(server, key: "one", hog).status } }
            while try await server.metric("trinity_accepted_choices_total") ?? 0 < 12 {}
            let small: JSONObject = ["prompt": [1], "max_tokens": 1, "timeout": 60]
            #expect(try await complete(server, key: "two", small).status == 200)
            var statuses: [Int] = []
            for try await status in group { statuses.append(status) }
            #expect(statuses.sorted() == [200, 200, 200, 429, 429, 429])
        }
        await server.stop()
    }
}
