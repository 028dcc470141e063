/// A socket and its machine. The loop performs what the machine asks.
final class Connection {
    let id: Int
    /// For the log.
    let peer: String
    var machine: ConnectionMachine
    /// The exchange that the service was given and that has not ended.
    var exchange: ExchangeID?
    /// Is in the loop's list of connections whose machine has actions.
    var isDirty = false
    /// What of the loop's `outboundBytes` is this connection's.
    var countedOutbound = 0

    /// Its TLS, where there is any.
    let tls: TLSSession?
    /// How far the handshake is; nil: there is none to wait for.
    var handshake: Handshake?
    /// Encrypted bytes that the kernel has not taken, and the plain bytes of the machine that they stand for.
    private var record = ByteBuffer()
    private var recordContent = 0
    /// FIN follows what is to be written.
    private var endsSending = false

    enum Handshake {
        /// Waits for the peer.
        case receiving
        /// Waits for its turn to compute, or computes, beside the loop.
        case computing
    }

    private let socket: Socket
    private let sockets: SocketSet
    private var interest = SocketSet.Interest.read

    /// Nil: the kernel cannot watch one more socket.
    /// - Parameter id: What its events in `sockets` are told by.
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

    /// What of a read the machine is to receive.
    enum Arrival {
        case bytes(ArraySlice<UInt8>)
        case wouldBlock
        case closed
    }

    /// Reads by way of `scratch`. No bytes: there may be more than what was looked at.
    func read(_ scratch: inout [UInt8]) -> Arrival {
        guard let tls else {
            return switch scratch.withUnsafeMutableBytes(socket.read) {
            case .bytes(let count): .bytes(scratch[..<count])
            case .wouldBlock: .wouldBlock
            case .closed: .closed
            }
        }
        // A peer can send records without content; after a few of them others have their turn.
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

    /// Hands to TLS what can be read at once.
    func readEncrypted(_ scratch: inout [UInt8]) -> Socket.Transfer {
        let transfer = scratch.withUnsafeMutableBytes(socket.read)
        if case .bytes(let count) = transfer { tls?.receive(scratch[..<count]) }
        return transfer
    }

    /// Something can be written; before the end of a handshake nothing of the machine's.
    var hasOutput: Bool {
        (handshake == nil && !machine.outbound.isEmpty) || !record.isEmpty || tls?.hasOutput == true
    }

    /// TLS has answered by itself to something that it has read, and the answer can be sent.
    var tlsHasAnswer: Bool { handshake != .computing && !awaitsWritable && tls?.hasOutput == true }

    /// What is written of one connection before others have their turn, in bytes.
    static let writtenBytesPerTurn = 1 << 20

    /// Writes what waits in the machine's buffer, and what TLS has to say by itself; returns how much of the machine's the
    /// kernel has got. A record counts when all of it is written, so that nothing of a reply is ever left here.
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

    /// Past HTTPS, for a peer that does not speak it. As far as the kernel takes it at once.
    func writePlain(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes(socket.write)
    }

    /// FIN, after what waits to be written.
    func shutdownSending() {
        tls?.close()
        endsSending = true
    }

    /// When nothing waits to be written any more.
    func outputEnded() {
        setAwaitingWritable(false)
        guard endsSending else { return }
        endsSending = false
        socket.shutdownSending()
    }

    var isReading: Bool { interest.contains(.read) }

    /// Waits until the kernel takes bytes again: only while bytes wait, for else a socket can be written without end.
    var awaitsWritable: Bool { interest.contains(.write) }

    func setReading(_ on: Bool) { change(.read, on) }

    func setAwaitingWritable(_ on: Bool) { change(.write, on) }

    private func change(_ part: SocketSet.Interest, _ on: Bool) {
        guard interest.contains(part) != on else { return }
        if on { interest.insert(part) } else { interest.remove(part) }
        sockets.change(socket, as: id, interest)
    }

    /// The socket closes when this, its last owner, is deinitialized.
    func close() {
        // Without close_notify the peer could not tell the end from an attack (RFC 8446, 6.1).
        if let tls, handshake != .computing {
            tls.close()
            _ = write()
        }
        sockets.remove(socket)
    }
}
