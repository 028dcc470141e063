import COpenSSL
import Synchronization

/// The shared configuration of TLS connections to other servers, which must have a certificate of an authority of this system.
/// SSL_CERT_FILE and SSL_CERT_DIR name other authorities.
package final class TLSClientContext: Sendable {
    private let context: Mutex<OpaquePointer>

    package init() {
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            preconditionFailure("libssl has no memory for a context")
        }
        trinity_ssl_restrict(context)
        // Without authorities, every certificate is refused, with a reason that mentions them.
        SSL_CTX_set_default_verify_paths(context)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        self.context = Mutex(context)
    }

    deinit {
        context.withLock { SSL_CTX_free($0) }
    }

    /// Creates the client side of a new connection to `host`, a name or an IP address, for which the certificate must be valid.
    package func makeSession(host: String) -> TLSSession {
        // Passed as a number, because the compiler cannot know that libssl separates the shared context from the session.
        let address = context.withLock { UInt(bitPattern: SSL_new($0)) }
        guard let session = OpaquePointer(bitPattern: address) else {
            preconditionFailure("libssl has no memory for a session")
        }
        let isSet = trinity_ssl_expect_host(session, host)
        precondition(isSet == 1, "libssl has no memory for a name")
        SSL_set_connect_state(session)
        return TLSSession(session)
    }
}
