import HTTP
import HTTPTypes
import TestSupport
import Testing

@Suite struct EventLoopTests {
    private static let get = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func `one connection serves replies and streams in turn`() async throws {
        let server = try await TestServer()
        let port = server.port
        try await onThread {
            let client = try TestClient(port: port)
            for _ in 0..<3 {
                client.send(Self.get)
                #expect(try client.receiveReply().body == Array("hello".utf8))
                client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
                let head = try client.receive(until: "\r\n\r\n")
                #expect(head.contains("Transfer-Encoding: chunked"))
                let events = try client.receive(until: "\r\n0\r\n\r\n")
                #expect(events == "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n9\r\ndata: 3\n\n\r\n0\r\n\r\n")
            }
        }
        #expect(try await server.connectionsSettle(at: 0))
        await server.stop()
    }

    @Test func `pipelined requests are answered in order`() async throws {
        let server = try await TestServer()
        let port = server.port
        try await onThread {
            let client = try TestClient(port: port)
            let post = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
            client.send((0..<200).map { post + String($0 + 100) }.joined())
            for number in 0..<200 { #expect(try client.receiveReply().body == Array(String(number + 100).utf8)) }
        }
        await server.stop()
    }

    @Test func `a large body arrives, by length and in chunks`() async throws {
        let server = try await TestServer()
        let port = server.port
        try await onThread {
            let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let client = try TestClient(port: port)
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n")
            client.send(body)
            #expect(try client.receiveReply().body == body)
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: body.count, by: 100_000) {
                client.send("\(String(100_000, radix: 16))\r\n")
                client.send(body[start..<start + 100_000])
                client.send("\r\n")
            }
            client.send("0\r\n\r\n")
            #expect(try client.receiveReply().body == body)
        }
        await server.stop()
    }

    @Test func `a client that sends too much still reads the error`() async throws {
        var configuration = HTTPConfiguration()
        configuration.limits.wire.bodyBytes = 1000
        let server = try await TestServer(configuration)
        let port = server.port
        let reply = try await onThread {
            let client = try TestClient(port: port)
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n")
            #expect(client.send([UInt8](repeating: 0, count: 4_000_000)))
            return String(decoding: client.receiveToEnd(), as: UTF8.self)
        }
        #expect(reply.hasPrefix("HTTP/1.1 413 Content Too Large\r\n"))
        #expect(reply.hasSuffix("The request body is too large.\n"))
        await server.stop()
    }

    @Test func `garbage gets the configured error body and is closed`() async throws {
        var configuration = HTTPConfiguration()
        configuration.errorBody = { ("application/json", Array("{\"status\":\($0.status.code)}".utf8)) }
        let server = try await TestServer(configuration)
        let port = server.port
        let reply = try await onThread {
            let client = try TestClient(port: port)
            client.send("\u{16}\u{03}\u{01} not http\r\n\r\n")
            return String(decoding: client.receiveToEnd(), as: UTF8.self)
        }
        #expect(reply.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(reply.contains("\r\nConnection: close\r\n"))
        #expect(reply.hasSuffix("\r\n\r\n{\"status\":400}"))
        await server.stop()
    }

    @Test(arguments: [false, true])
    func `a client that leaves a stream is detected at once`(byReset: Bool) async throws {
        let server = try await TestServer()
        let port = server.port
        try await onThread {
            let client = try TestClient(port: port)
            client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            let beginning = try client.receive(until: "held\r\n")
            #expect(beginning.hasPrefix("HTTP/1.1 200"))
            if byReset { client.reset() }
        }
        let left = ContinuousClock.now
        #expect(await server.nextEnding() == .init(path: "/hold", outcome: .clientGone))
        #expect(ContinuousClock.now - left < .seconds(5))
        #expect(try await server.connectionsSettle(at: 0))
        #expect(await server.loop.activeExchanges == 0)
        await server.stop()
    }

    @Test(arguments: [false, true])
    func `a client that sends a request and leaves at once is detected`(byReset: Bool) async throws {
        let server = try await TestServer()
        let port = server.port
        try await onThread {
            for _ in 0..<50 {
                let client = try TestClient(port: port)
                client.send("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n")
                if byReset { client.reset() }
            }
        }
        #expect(try await server.connectionsSettle(at: 0))
        #expect(await server.loop.activeExchanges == 0)
        await server.stop()
    }

    @Test func `the connection of a slow reader of a stream is closed`() async throws {
        let server = try await TestServer()
        let port = server.port
        let client = try await onThread {
            let client = try TestClient(port: port, receiveBuffer: 4096)
            client.send("GET /flood HTTP/1.1\r\nHost: h\r\n\r\n")
            return client
        }
        #expect(await server.nextEnding() == .init(path: "/flood", outcome: .clientGone))
        #expect(await server.loop.connections == 0)
        withExtendedLifetime(client) {}
        await server.stop()
    }

    @Test func `a whole reply larger than the kernel's buffers waits for its reader`() async throws {
        var configuration = HTTPConfiguration()
        configuration.limits.outboundBytes = 1000
        let server = try await TestServer(configuration)
        let port = server.port
        let size = try await onThread {
            let client = try TestClient(port: port, receiveBuffer: 4096)
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n")
            client.send([UInt8](repeating: 1, count: 9_000_000))
            return try client.receiveReply().body.count
        }
        #expect(size == 9_000_000)
        #expect(await server.nextEnding() == .init(path: "/echo", outcome: .completed))
        await server.stop()
    }

    @Test func `many connections are served at once`() async throws {
        let server = try await TestServer()
        let port = server.port
        let clients = try await onThread {
            let clients = try (0..<64).map { _ in try TestClient(port: port) }
            for client in clients { client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n") }
            for client in clients { _ = try client.receive(until: "held\r\n") }
            return clients
        }
        #expect(await server.loop.activeExchanges == 64)
        server.loop.post { loop in (loop.service as? TestService)?.finishAll(on: loop) }
        try await onThread {
            for client in clients {
                let rest = try client.receive(until: "0\r\n\r\n")
                #expect(rest == "3\r\nend\r\n0\r\n\r\n")
            }
        }
        for _ in 0..<64 { #expect(await server.nextEnding()?.outcome == .completed) }
        await server.stop()
    }

    @Test func `a service prepares off the loop and comes back to it`() async throws {
        let server = try await TestServer()
        let port = server.port
        let body = try await onThread {
            let client = try TestClient(port: port)
            client.send("POST /prepare HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
            return try client.receiveReply().body
        }
        #expect(body == Array("prepared 2".utf8))
        #expect(await server.nextEnding() == .init(path: "/prepare", outcome: .completed))
        await server.stop()
    }

    @Test func `beyond the limit only the reserve is served, and beyond that nothing`() async throws {
        var configuration = HTTPConfiguration()
        configuration.maxConnections = 1
        configuration.reservedConnections = 1
        let server = try await TestServer(configuration)
        let port = server.port
        try await onThread {
            let first = try TestClient(port: port)
            first.send(Self.get)
            _ = try first.receiveReply()
            let refused = try TestClient(port: port)
            refused.send(Self.get)
            #expect(String(decoding: refused.receiveToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 503 "))
            // The refused connection still lingers: the reserve is full.
            let beyond = try TestClient(port: port)
            #expect(beyond.receiveToEnd().isEmpty)
            withExtendedLifetime((first, refused)) {}
        }
        #expect(try await server.connectionsSettle(at: 0))
        try await onThread {
            let first = try TestClient(port: port)
            first.send(Self.get)
            _ = try first.receiveReply()
            let probe = try TestClient(port: port)
            probe.send("GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(String(decoding: probe.receiveToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 200 "))
        }
        await server.stop()
    }

    @Test func `deadlines expire on the clock`() async throws {
        var configuration = HTTPConfiguration()
        configuration.limits.headerTimeout = .milliseconds(60)
        configuration.limits.idleTimeout = .milliseconds(120)
        let server = try await TestServer(configuration)
        let port = server.port
        let (late, idle) = try await onThread {
            let late = try TestClient(port: port)
            late.send("GET / HT")
            let idle = try TestClient(port: port)
            idle.send(Self.get)
            return (late.receiveToEnd(), idle.receiveToEnd())
        }
        #expect(String(decoding: late, as: UTF8.self).hasPrefix("HTTP/1.1 408 "))
        #expect(String(decoding: idle, as: UTF8.self).hasSuffix("\r\n\r\nhello"))
        #expect(try await server.connectionsSettle(at: 0))
        await server.stop()
    }

    @Test func `closing the listeners lets replies finish and closes idle connections`() async throws {
        let server = try await TestServer()
        let port = server.port
        let (idle, busy) = try await onThread {
            let idle = try TestClient(port: port)
            idle.send(Self.get)
            _ = try idle.receiveReply()
            let busy = try TestClient(port: port)
            busy.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try busy.receive(until: "held\r\n")
            return (idle, busy)
        }
        await server.loop.closeListeners()
        try await onThread { #expect(idle.receiveToEnd().isEmpty) }
        #expect(await server.loop.activeExchanges == 1)
        server.loop.post { loop in (loop.service as? TestService)?.finishAll(on: loop) }
        try await onThread { #expect(busy.receiveToEnd() == Array("3\r\nend\r\n0\r\n\r\n".utf8)) }
        await #expect(throws: TestClient.Failure.self) { try await onThread { _ = try TestClient(port: port) } }
        await server.stop()
    }

    @Test func `closing all connections ends each exchange as gone`() async throws {
        let server = try await TestServer()
        let port = server.port
        let client = try await onThread {
            let client = try TestClient(port: port)
            client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try client.receive(until: "held\r\n")
            return client
        }
        await server.loop.closeConnections()
        #expect(await server.nextEnding() == .init(path: "/hold", outcome: .clientGone))
        try await onThread { #expect(client.receiveToEnd().isEmpty) }
        await server.stop()
    }

    @Test func `a port in use and a foreign address are named in the error`() async throws {
        let server = try await TestServer()
        let other = try EventLoop()
        await other.serve(TestService(endings: AsyncStream.makeStream(of: TestService.Ending.self).continuation))
        await #expect(throws: TransportError.addressInUse(host: "127.0.0.1", port: server.port)) {
            _ = try await other.listen(host: "127.0.0.1", port: server.port)
        }
        await #expect(throws: TransportError.addressNotAvailable(host: "192.0.2.1")) {
            _ = try await other.listen(host: "192.0.2.1", port: 0)
        }
        await #expect(throws: TransportError.invalidPort(65536)) {
            _ = try await other.listen(host: "127.0.0.1", port: 65536)
        }
        await #expect(throws: TransportError.self) { _ = try await other.listen(host: "no such host", port: 0) }
        await server.stop()
    }

    @Test func `many clients that connect and disconnect leave nothing behind`() async throws {
        let server = try await TestServer()
        let port = server.port
        await withTaskGroup(of: Void.self) { group in
            for seed in 0..<4 {
                group.addTask { try? await onThread { Self.storm(port: port, seed: UInt64(seed)) } }
            }
        }
        #expect(try await server.connectionsSettle(at: 0))
        #expect(await server.loop.activeExchanges == 0)
        let body = try await onThread {
            let client = try TestClient(port: port)
            client.send(Self.get)
            return try client.receiveReply().body
        }
        #expect(body == Array("hello".utf8))
        await server.stop()
    }

    /// Valid and invalid requests. In half of them the client disconnects before the reply, or with a reset.
    private static func storm(port: Int, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let requests = [
            get, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n", "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /silent HTTP/1.1\r\nHost: h\r\n\r\n", "GET /prepare HTTP/1.1\r\nHost: h\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf", "garbage\r\n\r\n",
            "GET /flood HTTP/1.0\r\n\r\n",
        ]
        for _ in 0..<60 {
            guard let client = try? TestClient(port: port, patience: 3) else { continue }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                client.send(requests.randomElement(using: &random) ?? get)
            }
            if Bool.random(using: &random) { _ = try? client.receive(count: 1) }
            if Bool.random(using: &random) { client.reset() }
        }
    }

    @Test func `a timer runs once unless it is cancelled`() async throws {
        let loop = try EventLoop()
        let (ticks, continuation) = AsyncStream.makeStream(of: Int.self)
        let cancelled = await loop.schedule(after: .milliseconds(5)) { _ in continuation.yield(1) }
        await loop.cancel(cancelled)
        _ = await loop.schedule(after: .milliseconds(10)) { _ in continuation.yield(2) }
        _ = await loop.schedule(after: .milliseconds(20)) { _ in continuation.finish() }
        var seen: [Int] = []
        for await tick in ticks { seen.append(tick) }
        #expect(seen == [2])
    }
}
