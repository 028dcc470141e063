import HTTP
import HTTPTypes
import Testing

/// Resources shared by connections: memory for bodies and for pending output.
@Suite struct SharedBoundTests {
    @Test func `beyond the bound of all output, the connection with the most is closed`() async throws {
        var configuration = HTTPConfiguration()
        configuration.outboundBytes = 32 << 20
        let server = try await TestServer(configuration)
        let port = server.port
        // The kernel accepts a few megabytes of each.
        let hog = try await onThread {
            let hog = try TestClient(port: port, receiveBuffer: 4096)
            hog.send("GET /megabytes/30 HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try hog.receive(until: "\r\n\r\n")
            return hog
        }
        #expect(await server.loop.connections == 1, "alone it is within the bound")
        let modest = try await onThread {
            let modest = try TestClient(port: port)
            modest.send("GET /megabytes/20 HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try modest.receive(until: "\r\n\r\n")
            return modest
        }
        #expect(try await server.connectionsSettle(at: 1))
        let cut = try await onThread {
            let whole = try modest.receive(count: 20 << 20)
            #expect(whole.count == 20 << 20)
            return hog.receiveToEnd().count
        }
        #expect(cut < 30 << 20)
        #expect(await server.nextEnding() == .init(path: "/megabytes/30", outcome: .clientGone))
        #expect(await server.nextEnding() == .init(path: "/megabytes/20", outcome: .completed))
        await server.stop()
    }

    @Test func `bodies of several connections share a budget, and release it`() async throws {
        var configuration = HTTPConfiguration()
        configuration.bodyBudget = MemoryBudget(limit: 2_000_000)
        let budget = configuration.bodyBudget
        let server = try await TestServer(configuration)
        let port = server.port
        let unfinished = try await onThread {
            let client = try TestClient(port: port)
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1800000\r\n\r\n")
            client.send([UInt8](repeating: 120, count: 1_700_000))
            return client
        }
        while budget.used < 1_600_000 { try await Task.sleep(for: .milliseconds(2)) }
        try await onThread {
            let client = try TestClient(port: port)
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
            let reply = String(decoding: client.receiveToEnd(), as: UTF8.self)
            #expect(reply.hasPrefix("HTTP/1.1 503 ") && reply.contains("\r\nRetry-After: 1\r\n"))
            let small = try TestClient(port: port)
            small.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
            #expect(try small.receiveReply().body == Array("hi".utf8))
            unfinished.send([UInt8](repeating: 120, count: 100_000))
            #expect(try unfinished.receiveReply().body.count == 1_800_000)
        }
        #expect(try await server.connectionsSettle(at: 0) || budget.used == 0)
        await server.stop()
    }

    @Test func `each connection has a unique number, which is the same for all its requests`() async throws {
        let server = try await TestServer()
        let port = server.port
        let numbers = try await onThread {
            let clients = try [TestClient(port: port), TestClient(port: port)]
            return try (0..<4).map { index in
                clients[index % 2].send("GET /connection HTTP/1.1\r\nHost: h\r\n\r\n")
                return String(decoding: try clients[index % 2].receiveReply().body, as: UTF8.self)
            }
        }
        #expect(numbers[0] == numbers[2] && numbers[1] == numbers[3] && numbers[0] != numbers[1])
        await server.stop()
    }
}
