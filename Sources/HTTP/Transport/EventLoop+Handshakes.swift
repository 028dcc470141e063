import Dispatch

/// A queue of handshakes that wait for one of a few slots for their computation, at most one per connection.
struct HandshakeQueue {
    var running = 0
    var waiting: [Int] = []
}

// The private-key operation of a handshake takes up to milliseconds, so it runs off the loop. Meanwhile the loop does not use
// the session and does not read the connection.
extension EventLoop {
    /// Takes the received input, and schedules the handshake with it.
    func receiveHandshake(_ connection: Connection) {
        guard connection.handshake == .receiving else { return }
        switch connection.readEncrypted(&scratch) {
        case .wouldBlock: return
        case .closed: return connection.machine.peerClosed()
        case .bytes:
            connection.handshake = .computing
            connection.setReading(false)
            // The loop does not use the session now. Pending output is written after the handshake was computed.
            connection.setAwaitingWritable(false)
            handshakes.waiting.append(connection.id)
            computeHandshakes()
        }
    }

    private func computeHandshakes() {
        while handshakes.running < configuration.maxHandshakes, !handshakes.waiting.isEmpty {
            let id = handshakes.waiting.removeFirst()
            guard let session = connectionTable[id]?.tls else { continue }
            handshakes.running += 1
            DispatchQueue.global().async {
                let result = session.handshake()
                self.post { loop in loop.handshakeComputed(id, result) }
            }
        }
    }

    private func handshakeComputed(_ id: Int, _ result: TLSSession.Handshake) {
        handshakes.running -= 1
        computeHandshakes()
        guard let connection = connectionTable[id] else { return }
        touch(connection)
        connection.handshake = result == .done ? nil : .receiving
        flush(connection)
        switch result {
        case .done, .unfinished:
            connection.setReading(true)
            readable(connection)
        case .plainHTTP:
            connection.writePlain(Self.plainHTTPReply)
            connection.machine.peerClosed()
        case .failed: connection.machine.peerClosed()
        }
    }

    private static let plainHTTPReply: [UInt8] = {
        let body = "This port serves HTTPS; use an https:// URL.\n"
        let head = """
            HTTP/1.1 400 Bad Request\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Length: \(body.utf8.count)\r
            Connection: close\r
            \r

            """
        return Array((head + body).utf8)
    }()
}
