import COpenSSL
import Synchronization

/// The TLS session of one connection, between two memory buffers and without I/O. It converts ciphertext to plaintext and back.
/// One thread at a time uses it, but not always the same one, because handshakes run off the loop.
package final class TLSSession: Sendable {
    package enum Handshake: Equatable {
        case done
        /// More bytes from the peer are needed.
        case unfinished
        case failed
        /// The peer uses HTTP without TLS.
        case plainHTTP
    }

    package enum Received: Equatable {
        case bytes([UInt8])
        /// More bytes from the peer are needed.
        case nothing
        /// The peer ended the session, or violated the protocol.
        case closed
    }

    private struct State {
        let session: OpaquePointer
        /// Input from the peer.
        let inbound: OpaquePointer
        /// Output for the peer.
        let outbound: OpaquePointer
    }

    private let state: Mutex<State>

    /// Takes ownership of `session`.
    init(_ session: sending OpaquePointer) {
        guard let inbound = BIO_new(BIO_s_mem()), let outbound = BIO_new(BIO_s_mem()) else {
            preconditionFailure("libcrypto has no memory for a buffer")
        }
        SSL_set_bio(session, inbound, outbound)
        trinity_ssl_accept_moving_writes(session)
        state = Mutex(State(session: session, inbound: inbound, outbound: outbound))
    }

    deinit {
        state.withLock { SSL_free($0.session) }
    }

    /// Adds ciphertext from the peer.
    package func receive(_ bytes: ArraySlice<UInt8>) {
        state.withLock { state in
            let count = bytes.withUnsafeBytes { BIO_write(state.inbound, $0.baseAddress, Int32(clamping: $0.count)) }
            precondition(count == bytes.count, "a memory buffer takes everything")
        }
    }

    /// Continues the handshake; may take milliseconds for the private key.
    package func handshake() -> Handshake {
        state.withLock { state in
            ERR_clear_error()
            let result = SSL_do_handshake(state.session)
            if result == 1 { return .done }
            if SSL_get_error(state.session, result) == SSL_ERROR_WANT_READ { return .unfinished }
            return trinity_error_is_http_request(ERR_peek_error()) == 1 ? .plainHTTP : .failed
        }
    }

    /// Why the peer's certificate was not accepted; `nil` if it was, or if there is none.
    package var verificationFailure: String? {
        state.withLock { state in
            let code = SSL_get_verify_result(state.session)
            return code == X509_V_OK ? nil : String(cString: X509_verify_cert_error_string(Int(code)))
        }
    }

    /// Returns plaintext of the received data, at most one record. Called after the handshake.
    package func read() -> Received {
        state.withLock { state in
            // A peer can request new keys repeatedly without reading the replies (RFC 8446, 4.6.3).
            guard trinity_bio_pending(state.outbound) <= Self.mostUnreadBytes else { return .closed }
            ERR_clear_error()
            var result: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: Self.recordBytes) { buffer, count in
                result = SSL_read(state.session, buffer.baseAddress, Int32(buffer.count))
                count = max(0, Int(result))
            }
            if result > 0 { return .bytes(bytes) }
            return SSL_get_error(state.session, result) == SSL_ERROR_WANT_READ ? .nothing : .closed
        }
    }

    /// Encrypts the beginning of `bytes`, at most one record. Returns the number of encrypted bytes, nil if the session has ended.
    package func write(_ bytes: [UInt8]) -> Int? {
        state.withLock { state in
            ERR_clear_error()
            let count = SSL_write(state.session, bytes, Int32(clamping: bytes.count))
            return count > 0 ? Int(count) : nil
        }
    }

    /// The maximum number of bytes of ciphertext that the peer may leave unread before the session ends: a record, and about 2,000
    /// replies to key updates.
    static let mostUnreadBytes = 65536

    /// The maximum number of plain bytes of a record (RFC 8446, 5.1).
    static let recordBytes = 16384

    /// Sends the peer a close_notify.
    package func close() {
        state.withLock { state in
            ERR_clear_error()
            // Before the handshake's end there is nothing to close.
            if SSL_is_init_finished(state.session) == 1 { SSL_shutdown(state.session) }
        }
    }

    var hasOutput: Bool { state.withLock { trinity_bio_pending($0.outbound) > 0 } }

    /// Takes the ciphertext for the peer; empty if there is none.
    package func takeOutput() -> [UInt8] {
        state.withLock { state in
            [UInt8](unsafeUninitializedCapacity: trinity_bio_pending(state.outbound)) { buffer, count in
                count = Int(max(0, BIO_read(state.outbound, buffer.baseAddress, Int32(clamping: buffer.count))))
            }
        }
    }
}
