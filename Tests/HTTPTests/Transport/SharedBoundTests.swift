import HTTP
import HTTPTypes
import Testing

/// What connections share: memory for bodies, and for what waits to be written.
@Suite struct SharedBoundTests {
    @Test func `beyond the bound of all output the connection with most of it is cut off, not another`() async throws {
        var configuration = HTTPConfiguration()
        configuration.outboundBytes = 8 << 20
        configuration.limits.outboundBytes = 64 << 20
        let server = try await TestServer(configuration)
        let port = server.port
        let (hog, modest) = try await onThread {
            let hog = try TestClient(port: port, receiveBuffer: 4096)
            let modest = try TestClient(port: port, receiveBuffer: 4096)
            modest.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try modest.receive(until: "held")
            hog.send("GET /flood HTTP/1.1\r\nHost: h\r\n\r\n")
            return (hog, modest)
        }
        #expect(await server.nextEnding() == .init(path: "/flood", outcome: .clientGone))
        #expect(await server.loop.activeExchanges == 1)
        server.loop.post { loop in (loop.service as? TestService)?.finishAll(on: loop) }
        try await onThread {
            _ = try modest.receive(until: "end\r\n0\r\n\r\n")
            _ = hog.receiveToEnd()
            // What was cut off is counted no more.
            let next = try TestClient(port: port)
            next.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try next.receiveReply().body == Array("hello".utf8))
        }
        await server.stop()
    }

    @Test func `bodies of several connections share a budget, and give it back`() async throws {
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

    @Test func `each connection has a number of its own, the same for all its requests`() async throws {
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
