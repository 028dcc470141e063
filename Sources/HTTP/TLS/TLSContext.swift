import COpenSSL
import Synchronization

/// The files for TLS, all PEM.
public struct TLSFiles: Sendable, Hashable {
    /// The server's certificate, followed by the intermediate ones.
    public var certificateChain: String
    /// Its private key, unencrypted.
    public var privateKey: String
    /// The authorities for client certificates. If it is not nil, a client without a certificate is rejected.
    public var clientAuthorities: String?

    public init(certificateChain: String, privateKey: String, clientAuthorities: String? = nil) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.clientAuthorities = clientAuthorities
    }
}

/// Why the files cannot be used.
public struct TLSError: Error, Sendable, Hashable, CustomStringConvertible {
    public let file: String
    public let reason: String

    public var description: String { "\(file): \(reason)" }
}

/// The shared configuration of all TLS connections: certificate, key, versions (1.2 and 1.3), http/1.1 by ALPN (RFC 7301), and
/// the keys of session tickets.
public final class TLSContext: Sendable {
    private let context: Mutex<OpaquePointer>
    /// The period in which all certificates of the chain are valid, in seconds of Unix time, inclusive; `nil` if a date cannot
    /// be read.
    public let validity: ClosedRange<Int>?

    /// Reads the files.
    ///
    /// - Throws: the file with the error, and the reason.
    public init(_ files: TLSFiles) throws(TLSError) {
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            preconditionFailure("libssl has no memory for a context")
        }
        do throws(TLSError) {
            try Self.load(files, into: context)
        } catch {
            SSL_CTX_free(context)
            throw error
        }
        validity = Self.validity(of: context)
        self.context = Mutex(context)
    }

    deinit {
        context.withLock { SSL_CTX_free($0) }
    }

    /// Creates the server side of a new connection.
    package func makeSession() -> TLSSession {
        // Passed as a number, because the compiler cannot know that libssl separates the shared context from the session.
        let address = context.withLock { UInt(bitPattern: SSL_new($0)) }
        guard let session = OpaquePointer(bitPattern: address) else {
            preconditionFailure("libssl has no memory for a session")
        }
        SSL_set_accept_state(session)
        return TLSSession(session)
    }

    private static func validity(of context: OpaquePointer) -> ClosedRange<Int>? {
        var (notBefore, notAfter): (Int64, Int64) = (0, 0)
        guard trinity_ssl_validity(context, &notBefore, &notAfter) == 1, notBefore <= notAfter else { return nil }
        return Int(notBefore)...Int(notAfter)
    }

    private static func load(_ files: TLSFiles, into context: OpaquePointer) throws(TLSError) {
        trinity_ssl_restrict(context)
        SSL_CTX_set_default_passwd_cb(context, trinity_no_passphrase)
        trinity_ssl_offer_http11(context)
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(context, files.certificateChain) == 1 else {
            throw TLSError(file: files.certificateChain, reason: failure("no certificate in PEM form"))
        }
        guard SSL_CTX_use_PrivateKey_file(context, files.privateKey, SSL_FILETYPE_PEM) == 1 else {
            let isMismatch = trinity_error_is_key_mismatch(ERR_peek_error()) == 1
            let failure = failure("no unencrypted private key in PEM form")
            throw TLSError(
                file: files.privateKey, reason: isMismatch ? "is not the key of \(files.certificateChain)" : failure)
        }
        // Tickets from before a change of the authorities must not grant access. This is safe, because contexts of other files have
        // other ticket keys.
        let name = Array("trinity".utf8)
        SSL_CTX_set_session_id_context(context, name, UInt32(name.count))
        guard let authorities = files.clientAuthorities else { return }
        guard SSL_CTX_load_verify_locations(context, authorities, nil) == 1 else {
            throw TLSError(file: authorities, reason: failure("no certificates in PEM form"))
        }
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(authorities))
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    /// Returns the error of libssl's last failed call on this thread.
    private static func failure(_ summary: String) -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard let reason = ERR_reason_error_string(code) else { return summary }
        return "\(summary) (\(String(cString: reason)))"
    }
}
