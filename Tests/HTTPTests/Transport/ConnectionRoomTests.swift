import Foundation
import HTTP
import TestSupport
import Testing

/// Which connection is closed at the maximum number of connections.
@Suite struct ConnectionRoomTests {
    private static let get = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

    private static func configuration(patience: Duration) -> HTTPConfiguration {
        var configuration = HTTPConfiguration()
        configuration.maxConnections = 3
        configuration.reservedConnections = 1
        configuration.patienceAtMaximum = patience
        return configuration
    }

    @Test func `the connection that has waited longest for a request is closed, with a slow head or body too`()
        async throws
    {
        let server = try await TestServer(Self.configuration(patience: .zero))
        let port = server.port
        try await onThread {
            let slowHead = try TestClient(port: port)
            slowHead.send("GET /hello HTTP/1.1\r\nHo")
            let slowBody = try TestClient(port: port)
            slowBody.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\na")
            // This one waits for its reply.
            let served = try TestClient(port: port)
            served.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try served.receive(until: "held")
            var newer: [TestClient] = []
            for loser in [slowHead, slowBody] {
                let next = try TestClient(port: port)
                newer.append(next)
                next.send(Self.get)
                #expect(try next.receiveReply().body == Array("hello".utf8))
                #expect(loser.receiveToEnd().isEmpty)
            }
            withExtendedLifetime(newer) {}
        }
        // The connections that are served continue.
        await server.loop.closeConnections()
        #expect(await server.endings.filter { $0.path == "/hold" }.first { _ in true }?.outcome == .clientGone)
        await server.stop()
    }

    @Test func `no connection is closed before the minimum wait, or while it is served`() async throws {
        let server = try await TestServer(Self.configuration(patience: .seconds(60)))
        let port = server.port
        try await onThread {
            let idle = try (0..<2).map { _ in try TestClient(port: port) }
            let served = try TestClient(port: port)
            served.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try served.receive(until: "held")
            let refused = try TestClient(port: port)
            refused.send(Self.get)
            #expect(String(decoding: refused.receiveToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 503 "))
            for client in idle {
                client.send(Self.get)
                #expect(try client.receiveReply().body == Array("hello".utf8))
            }
        }
        await server.stop()
    }

    @Test func `connections of the reserve are closed too, until there is room for all requests`() async throws {
        let server = try await TestServer(Self.configuration(patience: .milliseconds(300)))
        let port = server.port
        try await onThread {
            // The fourth one uses the reserve, because no connection has waited long enough.
            let idle = try (0..<4).map { _ in try TestClient(port: port) }
            Thread.sleep(forTimeInterval: 0.5)
            let next = try TestClient(port: port)
            next.send(Self.get)
            #expect(try next.receiveReply().body == Array("hello".utf8))
            withExtendedLifetime(idle) {}
        }
        await server.stop()
    }

    @Test func `a client that leaves while its connection is not read is detected`() async throws {
        let server = try await TestServer()
        let port = server.port
        try await onThread {
            let client = try TestClient(port: port)
            client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try client.receive(until: "held")
            // More than is buffered after a request, but not so much that FIN has to wait.
            client.send(String(repeating: Self.get, count: 2600))
            Thread.sleep(forTimeInterval: 0.1)
            client.finishSending()
            _ = client.receiveToEnd()
        }
        #expect(await server.nextEnding()?.outcome == .clientGone)
        await server.stop()
    }
}
