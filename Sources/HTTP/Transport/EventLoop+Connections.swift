import Dispatch
import Foundation

extension EventLoop {
    /// Starts to accept connections.
    ///
    /// - Parameters:
    ///   - host: An IPv4 or IPv6 address, or a name of this machine.
    ///   - port: 0 lets the kernel choose.
    /// - Returns: The address with the real port.
    /// - Precondition: `serve` was called.
    public func listen(host: String, port: Int) throws(TransportError) -> ListeningAddress {
        precondition(service != nil, "a loop needs its service before it listens")
        let (socket, address) = try Socket.listening(host: host, port: port, backlog: configuration.backlog)
        let number = nextNumber()
        listeners[number] = Listener(socket: socket, queue: executor.queue) {
            self.assumeIsolated { loop in loop.turn { $0.acceptConnections(of: number) } }
        }
        return address
    }

    /// Stops accepting. Idle connections close now, others after the reply that is due.
    public func closeListeners() {
        for listener in listeners.values { listener.close() }
        listeners = [:]
        for connection in connectionTable.values {
            connection.machine.retire()
            touch(connection)
        }
    }

    /// Cuts off every connection, as when a drain's deadline has passed; each open exchange ends as gone.
    public func closeConnections() {
        for connection in connectionTable.values {
            connection.machine.close()
            touch(connection)
        }
    }

    // MARK: Events

    private func acceptConnections(of number: Int) {
        guard let listener = listeners[number] else { return }
        // Bounded, so that a flood of connections does not starve those that are open.
        for _ in 0..<64 {
            switch listener.accept() {
            case .connection(let socket, let peer): admit(socket, peer: peer)
            case .aborted: continue
            case .wouldBlock: return
            case .exhausted:
                // The waiting connection keeps the source firing; a closed one will make room.
                listener.pause()
                _ = schedule(after: configuration.acceptPause) { loop in loop.listeners[number]?.resume() }
                return
            }
        }
    }

    private func admit(_ socket: Socket, peer: ListeningAddress) {
        let open = connectionTable.count
        // Beyond the reserve the socket closes here, by its last reference.
        guard open < configuration.maxConnections + configuration.reservedConnections else { return }
        let machine = ConnectionMachine(
            limits: configuration.limits,
            admittedPaths: open < configuration.maxConnections ? nil : configuration.reservedPaths,
            at: now(), readsBody: configuration.readsBody, errorBody: configuration.errorBody)
        let id = nextNumber()
        let connection = Connection(
            id: id, socket: socket, peer: peer.description, tls: tls?.makeSession(), machine: machine,
            queue: executor.queue
        ) {
            self.assumeIsolated { loop in loop.turn { $0.readable(id) } }
        }
        connectionTable[id] = connection
        touch(connection)
    }

    /// Reads until nothing is left: a hang-up that comes together with bytes is reported by the dispatch source only once.
    func readable(_ id: Int) {
        guard let connection = connectionTable[id] else { return }
        touch(connection)
        if connection.handshake != nil { return receiveHandshake(connection) }
        // A few reads a turn, so that one busy sender does not starve the others.
        for _ in 0..<8 where !connection.machine.isReadingPaused {
            switch connection.read(&scratch) {
            case .bytes(let bytes): connection.machine.received(bytes, at: now())
            case .wouldBlock: return
            case .closed: return connection.machine.peerClosed()
            }
        }
        if !connection.machine.isReadingPaused { readAgain(id) }
    }

    private func readAgain(_ id: Int) {
        post { loop in loop.readable(id) }
    }

    private func writable(_ id: Int) {
        guard let connection = connectionTable[id] else { return }
        flush(connection)
        touch(connection)
    }

    // MARK: Actions

    /// Does what the connection's machine asks.
    func perform(_ connection: Connection) {
        while true {
            let actions = connection.machine.takeActions()
            if actions.isEmpty { break }
            for action in actions {
                switch action {
                case .deliver(let request, let body): beginExchange(request, body: body, on: connection)
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
        // TLS answers some of what it reads by itself.
        if connection.tls?.hasOutput == true, connection.handshake != .computing, !connection.awaitsWritable {
            flush(connection)
        }
        if let deadline = connection.machine.deadline { arm(for: deadline) }
    }

    /// Writes until the kernel takes no more.
    func flush(_ connection: Connection) {
        while connection.hasOutput {
            switch connection.write() {
            case .bytes(let count): connection.machine.wrote(count, at: now())
            case .closed: connection.machine.peerClosed()
            case .wouldBlock:
                let id = connection.id
                connection.awaitWritable(queue: executor.queue) {
                    self.assumeIsolated { loop in loop.turn { $0.writable(id) } }
                }
                return
            }
        }
        connection.outputEnded()
    }
}
