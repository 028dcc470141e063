import COpenSSL
import TestSupport
import Testing

@testable import HTTP

/// TLS as bytes in and bytes out (RFC 8446, RFC 5246), without sockets.
@Suite struct TLSSessionTests {
    static func path(_ name: String) -> String { Fixtures.root.appending(path: "tls/\(name)").path }

    static let files = TLSFiles(certificateChain: path("server.pem"), privateKey: path("server.key"))

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `versions 1 2 and 1 3 transfer bytes in both directions, for every split`(version: Int32) throws {
        let context = try TLSContext(Self.files)
        for step in [1, 7, Int.max] {
            let (server, client) = (context.makeSession(), try TLSPeer(.init(version: version)))
            #expect(shakeHands(server, client.session, step: step) == (.done, .done))
            #expect(client.version == version)
            #expect(client.session.write(Array("ping".utf8)) == 4)
            for byte in client.session.takeOutput() { server.receive([byte]) }
            #expect(server.read() == .bytes(Array("ping".utf8)))
            #expect(server.read() == .nothing)
            #expect(server.write([UInt8](repeating: 7, count: TLSSession.recordBytes)) == TLSSession.recordBytes)
            client.session.receive(server.takeOutput()[...])
            #expect(client.session.read() == .bytes([UInt8](repeating: 7, count: TLSSession.recordBytes)))
            server.close()
            client.session.receive(server.takeOutput()[...])
            #expect(client.session.read() == .closed)
        }
    }

    @Test func `a peer that keeps requesting new keys cannot make the server buffer without limit`() throws {
        let server = try TLSContext(Self.files).makeSession()
        let client = try TLSPeer(.init(version: TLS1_3_VERSION))
        #expect(shakeHands(server, client.session) == (.done, .done))
        var received = TLSSession.Received.nothing
        // Its replies are never read.
        for _ in 0..<10_000 where received == .nothing {
            client.updateKey()
            server.receive(client.session.takeOutput()[...])
            received = server.read()
        }
        #expect(received == .closed && server.takeOutput().count <= TLSSession.mostUnreadBytes + 100)
    }

    @Test func `older versions are refused`() throws {
        for version in [TLS1_VERSION, TLS1_1_VERSION] {
            let server = try TLSContext(Self.files).makeSession()
            // The client's own library may refuse them too: then its hello is empty, and nothing follows.
            #expect(shakeHands(server, try TLSPeer(.init(version: version)).session).server != .done)
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a session is resumed`(version: Int32) throws {
        let context = try TLSContext(Self.files)
        let (first, client) = (context.makeSession(), try TLSPeer(.init(version: version)))
        #expect(shakeHands(first, client.session) == (.done, .done))
        #expect(!client.isResumed)
        // In version 1.3 the ticket comes after the handshake.
        #expect(client.session.read() == .nothing)
        let again = try TLSPeer(.init(version: version, resumes: client.ticket))
        #expect(shakeHands(context.makeSession(), again.session) == (.done, .done))
        #expect(again.isResumed)
        let other = try TLSPeer(.init(version: version, resumes: client.ticket))
        #expect(shakeHands(try TLSContext(Self.files).makeSession(), other.session) == (.done, .done))
        #expect(!other.isResumed, "another context's tickets are worth nothing")
    }

    @Test func `only http 1 1 is selected from the protocols`() throws {
        let context = try TLSContext(Self.files)
        let both = try TLSPeer(.init(protocols: Array("\u{2}h2\u{8}http/1.1".utf8)))
        #expect(shakeHands(context.makeSession(), both.session).client == .done)
        #expect(both.chosenProtocol == "http/1.1")
        let neither = try TLSPeer(.init(protocols: Array("\u{2}h2".utf8)))
        #expect(shakeHands(context.makeSession(), neither.session) == (.failed, .failed))
    }

    @Test func `client certificates are checked if they are required`() throws {
        var files = Self.files
        files.clientAuthorities = Self.path("ca.pem")
        let context = try TLSContext(files)
        for (name, result) in [("client", .done), ("intruder", .failed), (nil, .failed)]
            as [(String?, TLSSession.Handshake)]
        {
            let peer = try TLSPeer(
                .init(certificate: name.map { Self.path("\($0).pem") }, key: name.map { Self.path("\($0).key") }))
            #expect(shakeHands(context.makeSession(), peer.session).server == result, "\(name ?? "none")")
        }
    }

    @Test func `plain HTTP and garbage are detected`() throws {
        let context = try TLSContext(Self.files)
        let plain = context.makeSession()
        plain.receive(ArraySlice("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8))
        #expect(plain.handshake() == .plainHTTP)
        let garbage = context.makeSession()
        garbage.receive([UInt8](repeating: 0xFF, count: 100)[...])
        #expect(garbage.handshake() == .failed)
        #expect(garbage.read() == .closed && garbage.write([1]) == nil)
    }

    @Test(
        arguments: [
            ("nowhere.pem", "server.key", nil, "nowhere.pem"), ("server.pem", "nowhere.key", nil, "nowhere.key"),
            ("server.key", "server.key", nil, "server.key"), ("server.pem", "client.key", nil, "client.key"),
            ("server.pem", "server.key", "client.key", "client.key"),
        ] as [(String, String, String?, String)])
    func `the file with the error is named`(chain: String, key: String, authorities: String?, fault: String) {
        let files = TLSFiles(
            certificateChain: Self.path(chain), privateKey: Self.path(key),
            clientAuthorities: authorities.map(Self.path))
        let error = #expect(throws: TLSError.self) { try TLSContext(files) }
        #expect(error?.file == Self.path(fault))
    }
}
