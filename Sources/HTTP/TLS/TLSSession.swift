import COpenSSL
import Synchronization

/// TLS of one connection between two memory buffers, without I/O: ciphertext in, plaintext out, and back. Used by one
/// thread at a time, but not always the same: handshakes run beside the loop.
package final class TLSSession: Sendable {
    package enum Handshake: Equatable {
        case done
        /// Needs more of the peer's bytes.
        case unfinished
        case failed
        /// The peer speaks HTTP without TLS.
        case plainHTTP
    }

    package enum Received: Equatable {
        case bytes([UInt8])
        /// Needs more of the peer's bytes.
        case nothing
        /// The peer ended the session, or broke the protocol.
        case closed
    }

    private struct State {
        let session: OpaquePointer
        /// What came from the peer.
        let inbound: OpaquePointer
        /// What goes to the peer.
        let outbound: OpaquePointer
    }

    private let state: Mutex<State>

    /// Takes over `session`.
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

    /// Ciphertext from the peer.
    package func receive(_ bytes: ArraySlice<UInt8>) {
        state.withLock { state in
            let count = bytes.withUnsafeBytes { BIO_write(state.inbound, $0.baseAddress, Int32(clamping: $0.count)) }
            precondition(count == bytes.count, "a memory buffer takes everything")
        }
    }

    /// Goes on with the handshake; may take milliseconds for the private key.
    package func handshake() -> Handshake {
        state.withLock { state in
            ERR_clear_error()
            let result = SSL_do_handshake(state.session)
            if result == 1 { return .done }
            if SSL_get_error(state.session, result) == SSL_ERROR_WANT_READ { return .unfinished }
            return trinity_error_is_http_request(ERR_peek_error()) == 1 ? .plainHTTP : .failed
        }
    }

    /// Plaintext from what was received, one record's at most; after the handshake.
    package func read() -> Received {
        state.withLock { state in
            // A peer can ask for new keys without end and read no answer (RFC 8446, 4.6.3).
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

    /// Encrypts the beginning of `bytes`, which has one record's at most; how many it took, nil when the session has ended.
    package func write(_ bytes: [UInt8]) -> Int? {
        state.withLock { state in
            ERR_clear_error()
            let count = SSL_write(state.session, bytes, Int32(clamping: bytes.count))
            return count > 0 ? Int(count) : nil
        }
    }

    /// Ciphertext that the peer may leave unread before no more is read from it: a record, and some 2,000 answers to key updates.
    static let mostUnreadBytes = 65536

    /// Plain bytes of a record at most (RFC 8446, 5.1).
    static let recordBytes = 16384

    /// Tells the peer that nothing follows (close_notify).
    package func close() {
        state.withLock { state in
            ERR_clear_error()
            // Before the handshake's end there is nothing to close.
            if SSL_is_init_finished(state.session) == 1 { SSL_shutdown(state.session) }
        }
    }

    var hasOutput: Bool { state.withLock { trinity_bio_pending($0.outbound) > 0 } }

    /// Takes out the ciphertext for the peer; empty: there is none.
    package func takeOutput() -> [UInt8] {
        state.withLock { state in
            [UInt8](unsafeUninitializedCapacity: trinity_bio_pending(state.outbound)) { buffer, count in
                count = Int(max(0, BIO_read(state.outbound, buffer.baseAddress, Int32(clamping: buffer.count))))
            }
        }
    }
}
