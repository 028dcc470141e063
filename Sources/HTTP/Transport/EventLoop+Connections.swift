extension EventLoop {
    /// Stops accepting. Idle connections close now, others after their current reply.
    public func closeListeners() {
        for listener in listeners.values { listener.close() }
        listeners = [:]
        for connection in connectionTable.values {
            connection.machine.retire()
            touch(connection)
        }
    }

    /// Closes every connection, for instance after the drain deadline. Each open exchange ends with `clientGone`.
    public func closeConnections() {
        for connection in connectionTable.values {
            connection.machine.close()
            touch(connection)
        }
    }

    // MARK: Events

    /// Processes the events of the sockets in one turn, and runs the due timers. Returns the pause until the next round.
    ///
    /// First all requests are read, then all are answered, then all replies are written. The first reply wakes a client with many
    /// connections, which is still running when the others arrive. Waking it costs as much as the rest of a small reply.
    ///
    /// A client that sends one small request after another waits mostly for blocked threads to wake. So after a reply the loop polls
    /// for the next request before it blocks. It does not poll while another reply is awaited, because that reply needs the CPUs.
    func round(_ events: [SocketSet.Event]) -> LoopExecutor.Pause {
        let completed = completedExchanges
        if !events.isEmpty {
            turn { loop in
                for event in events { loop.handle(event) }
            }
        }
        let deadline = fireTimers()
        let polls = completedExchanges > completed && activeExchanges == 0
        return LoopExecutor.Pause(deadline: deadline, polling: polls ? configuration.polling : .zero)
    }

    private func handle(_ event: SocketSet.Event) {
        guard let connection = connectionTable[event.number] else {
            // If it is not a listener either, an earlier event has closed it.
            if let listener = listeners[event.number] { acceptConnections(of: listener, event.number) }
            return
        }
        if event.isWritable { writable(connection) }
        if connection.isReading {
            if event.isReadable || event.isBroken { readable(connection) }
        } else if event.isBroken {
            connection.machine.peerClosed()
            touch(connection)
        }
    }

    private func acceptConnections(of listener: Listener, _ number: Int) {
        // Bounded, so that a flood of new connections does not starve the open ones.
        for _ in 0..<64 {
            switch listener.accept() {
            case .connection(let socket, let peer): admit(socket, peer: peer)
            case .aborted: continue
            case .wouldBlock: return
            case .exhausted:
                if makeRoom() { continue }
                // The waiting connection keeps the source firing; a closed one will make room.
                listener.pause()
                _ = schedule(after: configuration.acceptPause) { loop in loop.listeners[number]?.resume() }
                return
            }
        }
    }

    private func admit(_ socket: Socket, peer: ListeningAddress) {
        // Connections in the reserve count too.
        while connectionTable.count >= configuration.maxConnections, makeRoom() {}
        let open = connectionTable.count
        // Beyond the reserve the socket is closed here, when its last reference is released.
        guard open < configuration.maxConnections + configuration.reservedConnections else { return }
        let machine = ConnectionMachine(
            limits: configuration.limits,
            admittedPaths: open < configuration.maxConnections ? nil : configuration.reservedPaths,
            bodyBudget: configuration.bodyBudget, at: now(), bodyAccount: configuration.bodyAccount,
            errorBody: configuration.errorBody)
        let id = nextNumber()
        guard
            let connection = Connection(
                id: id, socket: socket, sockets: executor.sockets, peer: peer.description, tls: tls?.makeSession(),
                machine: machine)
        else { return }
        connectionTable[id] = connection
        touch(connection)
    }

    /// Closes the connection that has waited longest for a complete request. Returns false if none has waited long enough.
    private func makeRoom() -> Bool {
        let waiting = connectionTable.values.compactMap { connection in
            connection.machine.waitsSince.map { (since: $0, connection: connection) }
        }
        // Connections of the same turn are equal in time, but not in number.
        guard let longest = waiting.min(by: { ($0.since, $0.connection.id) < ($1.since, $1.connection.id) }),
            longest.since + configuration.patienceAtMaximum <= .now
        else { return false }
        longest.connection.machine.close()
        perform(longest.connection)
        return true
    }

    /// Reads until no input is left, or until the next event will report more.
    func readable(_ connection: Connection) {
        touch(connection)
        if connection.handshake != nil { return receiveHandshake(connection) }
        // A few reads per turn, so that busy senders do not starve the others: ninety of them delay a turn of all connections
        // by a few milliseconds.
        var taken = 0
        while taken < Self.bytesPerTurn, !connection.machine.isReadingPaused {
            switch connection.read(&scratch) {
            case .bytes(let bytes) where bytes.isEmpty: return readAgain(connection.id)
            case .bytes(let bytes):
                taken += bytes.count
                connection.machine.received(bytes, at: now())
                // The kernel had no more input, or it will report it.
                if connection.tls == nil, bytes.count < scratch.count { return }
            case .wouldBlock: return
            case .closed: return connection.machine.peerClosed()
            }
        }
        if !connection.machine.isReadingPaused { readAgain(connection.id) }
    }

    /// The maximum number of bytes that are read from one connection in one turn; a read may exceed it.
    private static let bytesPerTurn = 128 * 1024

    private func readAgain(_ id: Int) {
        post { loop in loop.connectionTable[id].map(loop.readable) }
    }

    private func writable(_ connection: Connection) {
        flush(connection)
        touch(connection)
    }

    // MARK: Actions

    /// Performs the actions of the connection's machine.
    func perform(_ connection: Connection) {
        while true {
            let actions = connection.machine.takeActions()
            if actions.isEmpty {
                guard connection.tlsHasAnswer, connection.machine.phase != .closed else { break }
                // This may find that the peer is gone.
                flush(connection)
            }
            for action in actions {
                switch action {
                case .deliver(let request, let body, let charge):
                    beginExchange(request, body: body, charge: charge, on: connection)
                case .ended(let outcome): endExchange(outcome, on: connection)
                case .write: if !connection.awaitsWritable { flush(connection) }
                case .pauseReading: connection.setReading(false)
                case .resumeReading:
                    connection.setReading(true)
                    readAgain(connection.id)
                case .shutdownSending:
                    connection.shutdownSending()
                    if !connection.awaitsWritable { flush(connection) }
                case .close:
                    connectionTable[connection.id] = nil
                    connection.close()
                }
            }
        }
        countOutbound(connection)
        if let deadline = connection.machine.nextDeadline() { arm(for: deadline) }
    }

    /// Keeps the total pending output within its bound. Beyond it, the connection with the most pending output is closed. O(1),
    /// or O(connections) beyond the bound.
    private func countOutbound(_ connection: Connection) {
        let count = connection.machine.outbound.count
        outboundBytes += count - connection.countedOutbound
        connection.countedOutbound = count
        guard outboundBytes > configuration.outboundBytes,
            let largest = connectionTable.values.max(by: { $0.countedOutbound < $1.countedOutbound })
        else { return }
        largest.machine.close()
        touch(largest)
    }

    /// Writes until the kernel accepts no more, or until the limit of one turn, so that a fast reader of a large reply does not
    /// block other connections.
    func flush(_ connection: Connection) {
        var written = 0
        while connection.hasOutput {
            guard written < Connection.writtenBytesPerTurn else { return connection.setAwaitingWritable(true) }
            switch connection.write() {
            case .bytes(let count):
                connection.machine.wrote(count, at: now())
                written += count
            // Pending output of TLS is discarded.
            case .closed: return connection.machine.peerClosed()
            case .wouldBlock: return connection.setAwaitingWritable(true)
            }
        }
        connection.outputEnded()
    }
}
