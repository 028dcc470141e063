import Testing

@testable import HTTP

@Suite struct ListeningTests {
    private func makeLoop() async throws -> EventLoop {
        let loop = try EventLoop()
        await loop.serve(TestService(endings: AsyncStream.makeStream(of: TestService.Ending.self).continuation))
        return loop
    }

    /// Whether this machine has IPv6.
    private static func hasIPv6() async -> Bool {
        (try? Socket.listening(host: "::1", port: 0, backlog: 1)) != nil
    }

    @Test func `all addresses of a host are listened on, on one port`() async throws {
        let loop = try await makeLoop()
        let first = try await loop.listen(hosts: ["127.0.0.1", "127.0.0.2", "127.0.0.3"], port: 0)
        #expect(first.host == "127.0.0.1" && first.port > 0)
        let all = await loop.addresses
        #expect(all.map(\.host) == ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
        #expect(Set(all.map(\.port)) == [first.port])
        for address in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
            let reply = try await onThread {
                let client = try TestClient(port: first.port, address: address)
                client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                return try client.receiveReply().body
            }
            #expect(reply == Array("hello".utf8))
        }
        await loop.closeListeners()
    }

    @Test func `localhost is every address that it resolves to`() async throws {
        let loop = try await makeLoop()
        let expected = try ListeningAddress.resolve("localhost").map(\.host)
        let hasIPv6 = await Self.hasIPv6()
        _ = try await loop.listen(host: "localhost", port: 0)
        #expect(await loop.addresses.map(\.host) == expected.filter { hasIPv6 || !$0.contains(":") })
        await loop.closeListeners()
    }

    @Test func `an IPv6 address may have its brackets`() throws {
        #expect(try ListeningAddress.resolve("[::1]") == ListeningAddress.resolve("::1"))
        #expect(throws: TransportError.self) { try ListeningAddress.resolve("[localhost]") }
    }

    @Test(.enabled("this machine has no IPv6") { await ListeningTests.hasIPv6() })
    func `both families are listened on`() async throws {
        let loop = try await makeLoop()
        _ = try await loop.listen(hosts: ["::1", "127.0.0.1"], port: 0)
        #expect(await loop.addresses.map(\.host) == ["::1", "127.0.0.1"])
        await loop.closeListeners()
    }

    @Test func `an address that this machine lacks is skipped if there is another one`() async throws {
        let loop = try await makeLoop()
        let address = try await loop.listen(hosts: ["192.0.2.1", "127.0.0.1"], port: 0)
        #expect(address.host == "127.0.0.1")
        #expect(await loop.addresses == [address])
        await loop.closeListeners()
    }

    @Test func `a port that is in use on one of the addresses is an error`() async throws {
        let (socket, taken) = try Socket.listening(host: "127.0.0.2", port: 0, backlog: 1)
        let loop = try await makeLoop()
        await #expect(throws: TransportError.addressInUse(host: "127.0.0.2", port: taken.port)) {
            _ = try await loop.listen(hosts: ["127.0.0.1", "127.0.0.2"], port: taken.port)
        }
        withExtendedLifetime(socket) {}
    }

    @Test(
        arguments: [
            ("127.0.0.1", true), ("127.255.0.1", true), ("::1", true), ("0:0:0:0:0:0:0:1", true),
            ("::ffff:127.0.0.1", true), ("0.0.0.0", false), ("::", false), ("10.0.0.1", false), ("128.0.0.1", false),
            ("::ffff:10.0.0.1", false), ("::2", false), ("localhost", false), ("127.0.0.1.example", false), ("", false),
        ])
    func `loopback addresses are recognized`(host: String, isLoopback: Bool) {
        #expect(ListeningAddress(host: host, port: 1).isLoopback == isLoopback)
    }
}
