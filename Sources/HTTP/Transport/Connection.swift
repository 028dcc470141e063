/// A socket and its machine. The loop performs the machine's actions.
final class Connection {
    let id: Int
    /// The peer's address, for the log.
    let peer: String
    var machine: ConnectionMachine
    /// The exchange that was delivered to the service and has not ended.
    var exchange: ExchangeID?
    /// Whether it is in the loop's list of connections with pending actions.
    var isDirty = false
    /// This connection's part of the loop's `outboundBytes`.
    var countedOutbound = 0

    /// Its TLS session; nil without TLS.
    let tls: TLSSession?
    /// The state of the handshake; nil if there is none to wait for.
    var handshake: Handshake?
    /// The encrypted bytes that the kernel has not accepted, and the number of plain bytes that they contain.
    private var record = ByteBuffer()
    private var recordContent = 0
    /// Whether FIN follows the pending output.
    private var endsSending = false

    enum Handshake {
        /// Waits for the peer.
        case receiving
        /// Computes off the loop, or waits for its turn to do so.
        case computing
    }

    private let socket: Socket
    private let sockets: SocketSet
    private var interest = SocketSet.Interest.read

    /// Returns nil if the kernel cannot watch another socket.
    /// - Parameter id: Identifies its events in `sockets`.
    init?(id: Int, socket: Socket, sockets: SocketSet, peer: String, tls: TLSSession?, machine: ConnectionMachine) {
        self.tls = tls
        handshake = tls == nil ? nil : .receiving
        self.id = id
        self.peer = peer
        self.machine = machine
        self.socket = socket
        self.sockets = sockets
        guard sockets.add(socket, as: id, interest) else { return nil }
    }

    /// The result of a read for the machine.
    enum Arrival {
        case bytes(ArraySlice<UInt8>)
        case wouldBlock
        case closed
    }

    /// Reads through `scratch`. An empty result means that there may be more.
    func read(_ scratch: inout [UInt8]) -> Arrival {
        guard let tls else {
            return switch scratch.withUnsafeMutableBytes(socket.read) {
            case .bytes(let count): .bytes(scratch[..<count])
            case .wouldBlock: .wouldBlock
            case .closed: .closed
            }
        }
        // A peer can send records without content; after a few of them other connections are processed.
        for _ in 0..<8 {
            switch tls.read() {
            case .bytes(let bytes): return .bytes(bytes[...])
            case .closed: return .closed
            case .nothing:
                switch readEncrypted(&scratch) {
                case .bytes: continue
                case .wouldBlock: return .wouldBlock
                case .closed: return .closed
                }
            }
        }
        return .bytes([])
    }

    /// Passes all available input to TLS.
    func readEncrypted(_ scratch: inout [UInt8]) -> Socket.Transfer {
        let transfer = scratch.withUnsafeMutableBytes(socket.read)
        if case .bytes(let count) = transfer { tls?.receive(scratch[..<count]) }
        return transfer
    }

    /// Whether there is output to write. Before the end of the handshake, the machine's output does not count.
    var hasOutput: Bool {
        (handshake == nil && !machine.outbound.isEmpty) || !record.isEmpty || tls?.hasOutput == true
    }

    /// Whether TLS has produced a reply of its own to received data, which can be sent.
    var tlsHasAnswer: Bool { handshake != .computing && !awaitsWritable && tls?.hasOutput == true }

    /// The maximum number of bytes that are written to one connection in one turn.
    static let writtenBytesPerTurn = 1 << 20

    /// Writes the machine's pending output and the output of TLS itself; returns the number of the machine's bytes that the
    /// kernel has accepted. A record counts once all of it is written, so that no part of a reply remains here.
    func write() -> Socket.Transfer {
        guard let tls else {
            return machine.outbound.withUnsafeBytes {
                socket.write(UnsafeRawBufferPointer(rebasing: $0.prefix(Self.writtenBytesPerTurn)))
            }
        }
        if record.isEmpty {
            if handshake == nil, !machine.outbound.isEmpty {
                let bytes = machine.outbound.withUnsafeBytes { Array($0.prefix(TLSSession.recordBytes)) }
                guard let count = tls.write(bytes) else { return .closed }
                recordContent = count
            }
            record.append(tls.takeOutput())
        }
        while !record.isEmpty {
            let transfer = record.withUnsafeBytes(socket.write)
            guard case .bytes(let count) = transfer else { return transfer }
            record.consume(count)
        }
        defer { recordContent = 0 }
        return .bytes(recordContent)
    }

    /// Writes without TLS, for a peer that does not use it, as many bytes as the kernel accepts at once.
    func writePlain(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes(socket.write)
    }

    /// Sends FIN after the pending output.
    func shutdownSending() {
        tls?.close()
        endsSending = true
    }

    /// Called when no more output is pending.
    func outputEnded() {
        setAwaitingWritable(false)
        guard endsSending else { return }
        endsSending = false
        socket.shutdownSending()
    }

    var isReading: Bool { interest.contains(.read) }

    /// Watches for writability only while output is pending, because otherwise the socket would always be ready.
    var awaitsWritable: Bool { interest.contains(.write) }

    func setReading(_ on: Bool) { change(.read, on) }

    func setAwaitingWritable(_ on: Bool) { change(.write, on) }

    private func change(_ part: SocketSet.Interest, _ on: Bool) {
        guard interest.contains(part) != on else { return }
        if on { interest.insert(part) } else { interest.remove(part) }
        sockets.change(socket, as: id, interest)
    }

    /// Stops watching the socket, which closes when this, its last owner, is deinitialized.
    func close() {
        // Without close_notify the peer could not distinguish the end from a truncation attack (RFC 8446, 6.1).
        if let tls, handshake != .computing {
            tls.close()
            _ = write()
        }
        sockets.remove(socket)
    }
}
