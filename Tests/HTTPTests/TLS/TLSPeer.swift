import COpenSSL
import Testing

@testable import HTTP

/// The client side of TLS, for sessions without sockets: the output of one side is the input of the other.
final class TLSPeer {
    let session: TLSSession
    private let pointer: OpaquePointer
    private let context: OpaquePointer

    struct Options {
        var version: Int32?
        /// Protocols for ALPN, each preceded by its length.
        var protocols: [UInt8]?
        var certificate: String?
        var key: String?
        /// An earlier session to resume.
        var resumes: OpaquePointer?
    }

    init(_ options: Options = Options()) throws {
        context = try #require(SSL_CTX_new(TLS_client_method()))
        if let certificate = options.certificate, let key = options.key {
            SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM)
            SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM)
        }
        // Passed as a number: the compiler cannot know that the session is transferred and the pointer only read.
        let address = UInt(bitPattern: SSL_new(context))
        pointer = try #require(OpaquePointer(bitPattern: address))
        if let version = options.version {
            // SSL_set_min_proto_version and SSL_set_max_proto_version, which are macros.
            SSL_ctrl(pointer, 123, Int(version), nil)
            SSL_ctrl(pointer, 124, Int(version), nil)
        }
        if let protocols = options.protocols { SSL_set_alpn_protos(pointer, protocols, UInt32(protocols.count)) }
        if let resumed = options.resumes { SSL_set_session(pointer, resumed) }
        SSL_set_connect_state(pointer)
        session = TLSSession(try #require(OpaquePointer(bitPattern: address)))
    }

    deinit {
        SSL_CTX_free(context)
    }

    /// Changes the key for what it sends, and asks the other side to do the same (RFC 8446, 4.6.3).
    func updateKey() {
        SSL_key_update(pointer, SSL_KEY_UPDATE_REQUESTED)
        SSL_do_handshake(pointer)
    }

    var version: Int32 { SSL_version(pointer) }
    var isResumed: Bool { SSL_session_reused(pointer) == 1 }
    /// Valid until the test's end; it is never freed.
    var ticket: OpaquePointer? { SSL_get1_session(pointer) }

    var chosenProtocol: String {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(pointer, &bytes, &count)
        return String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
    }
}

/// Performs a handshake between both, `step` bytes at a time; returns the results of the server and of the client.
func shakeHands(
    _ server: TLSSession, _ client: TLSSession, step: Int = .max
) -> (server: TLSSession.Handshake, client: TLSSession.Handshake) {
    var results = (server: TLSSession.Handshake.unfinished, client: client.handshake())
    for _ in 0..<10 {
        let hello = client.takeOutput()
        pass(hello, to: server, step: step) { if results.server == .unfinished { results.server = server.handshake() } }
        let answer = server.takeOutput()
        pass(answer, to: client, step: step) {
            if results.client == .unfinished { results.client = client.handshake() }
        }
        if hello.isEmpty, answer.isEmpty { break }
    }
    return results
}

private func pass(_ bytes: [UInt8], to session: TLSSession, step: Int, _ each: () -> Void) {
    var rest = bytes[...]
    while !rest.isEmpty {
        session.receive(rest.prefix(step))
        rest = rest.dropFirst(step)
        each()
    }
}
