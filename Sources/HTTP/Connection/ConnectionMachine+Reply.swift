import HTTPTypes

// The service's side of an exchange. Calls after its end are ignored, because the service may not have been notified yet.
extension ConnectionMachine {
    /// Sends a whole reply, and adds Content-Length.
    mutating func respond(_ head: HTTPResponse, body: [UInt8], at moment: Moment) {
        guard phase == .serving else { return }
        let framing: ResponseEncoder.Framing = head.status.forbidsBody ? .none : .length(body.count)
        var bytes = begin(head, framing: framing, capacity: body.count, at: moment)
        if framing != .none, exchange?.isHead != true { bytes += body }
        phase = .flushing
        enqueue(bytes, at: moment)
    }

    /// Sends the head of a reply whose body follows in pieces.
    mutating func startStream(_ head: HTTPResponse, at moment: Moment) {
        guard phase == .serving else { return }
        let framing: ResponseEncoder.Framing =
            if head.status.forbidsBody { .none } else { exchange?.version == .http10 ? .close : .chunked }
        if framing == .close { exchange?.keepsAlive = false }
        let bytes = begin(head, framing: framing, capacity: 0, at: moment)
        let sendsBody = framing != .none && exchange?.isHead != true
        exchange?.reply = .streaming(framing, sendsBody: sendsBody)
        enqueue(bytes, at: moment)
    }

    /// Sends a piece of a stream's body. If the peer has left too much unread, the connection is closed.
    mutating func send(_ bytes: [UInt8], at moment: Moment) {
        guard phase == .serving else { return }
        guard case .streaming(let framing, let sendsBody) = exchange?.reply else {
            preconditionFailure("a piece of a stream that was not started")
        }
        guard sendsBody, !bytes.isEmpty else { return }
        guard outbound.hasRoom(for: bytes.count) else { return close() }
        if framing == .chunked {
            var chunk: [UInt8] = []
            chunk.reserveCapacity(bytes.count + 12)
            ResponseEncoder.chunk(bytes, into: &chunk)
            enqueue(chunk, at: moment)
        } else {
            enqueue(bytes, at: moment)
        }
    }

    /// Ends a stream.
    mutating func finish(at moment: Moment) {
        guard phase == .serving else { return }
        guard case .streaming(let framing, let sendsBody) = exchange?.reply else {
            preconditionFailure("the end of a stream that was not started")
        }
        phase = .flushing
        if framing == .chunked, sendsBody { enqueue(ResponseEncoder.lastChunk, at: moment) }
        settle(at: moment)
    }

    /// Decides whether the connection stays open, and encodes the head.
    private mutating func begin(
        _ head: HTTPResponse, framing: ResponseEncoder.Framing, capacity: Int, at moment: Moment
    ) -> [UInt8] {
        precondition(exchange?.reply == Exchange.Reply.none, "a second reply to one request")
        precondition(head.status.kind != .informational, "interim responses are the connection's own")
        let asksToClose = head.headerFields[values: .connection].contains { $0.lowercased() == "close" }
        if isRetiring || asksToClose { exchange?.keepsAlive = false }
        let connection: StaticString? =
            if exchange?.keepsAlive != true { "close" } else { exchange?.version == .http10 ? "keep-alive" : nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256 + capacity)
        ResponseEncoder.head(head, framing: framing, connection: connection, date: moment.date, into: &bytes)
        return bytes
    }
}

extension HTTPResponse.Status {
    /// Whether the status has no body by definition (RFC 9110, 6.4.1).
    fileprivate var forbidsBody: Bool { code == 204 || code == 304 }
}
