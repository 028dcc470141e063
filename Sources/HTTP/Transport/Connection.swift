import Dispatch

/// A socket, its machine and its dispatch sources. The loop performs what the machine asks.
final class Connection {
    let id: Int
    /// For the log.
    let peer: String
    var machine: ConnectionMachine
    /// The exchange that the service was given and that has not ended.
    var exchange: ExchangeID?
    /// Is in the loop's list of connections whose machine has actions.
    var isDirty = false

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
    private let readSource: any DispatchSourceRead
    private var writeSource: (any DispatchSourceWrite)?
    private var isReading = true
    private(set) var awaitsWritable = false

    /// - Parameter onReadable: Runs on `queue` whenever bytes or the end can be read.
    init(
        id: Int, socket: Socket, peer: String, tls: TLSSession?, machine: ConnectionMachine, queue: DispatchQueue,
        onReadable: @escaping @Sendable () -> Void
    ) {
        self.tls = tls
        handshake = tls == nil ? nil : .receiving
        self.id = id
        self.peer = peer
        self.machine = machine
        self.socket = socket
        readSource = DispatchSource.makeReadSource(fileDescriptor: socket.descriptor, queue: queue)
        readSource.setEventHandler(handler: onReadable)
        readSource.setCancelHandler { [socket] in withExtendedLifetime(socket) {} }
        readSource.activate()
    }

    /// What of a read the machine is to receive.
    enum Arrival {
        case bytes(ArraySlice<UInt8>)
        case wouldBlock
        case closed
    }

    /// Reads by way of `scratch`.
    func read(_ scratch: inout [UInt8]) -> Arrival {
        guard let tls else {
            return switch scratch.withUnsafeMutableBytes(socket.read) {
            case .bytes(let count): .bytes(scratch[..<count])
            case .wouldBlock: .wouldBlock
            case .closed: .closed
            }
        }
        // A peer can send records without content; what it sends beyond a few waits for the next turn.
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
        return .wouldBlock
    }

    /// Hands to TLS what can be read at once.
    func readEncrypted(_ scratch: inout [UInt8]) -> Socket.Transfer {
        let transfer = scratch.withUnsafeMutableBytes(socket.read)
        if case .bytes(let count) = transfer { tls?.receive(scratch[..<count]) }
        return transfer
    }

    /// Something waits to be written.
    var hasOutput: Bool { !machine.outbound.isEmpty || !record.isEmpty || tls?.hasOutput == true }

    /// Writes what waits in the machine's buffer, and what TLS has to say by itself; returns how much of the machine's the
    /// kernel has got. A record counts when all of it is written, so that nothing of a reply is ever left here.
    func write() -> Socket.Transfer {
        guard let tls else { return machine.outbound.withUnsafeBytes(socket.write) }
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
        stopAwaitingWritable()
        guard endsSending else { return }
        endsSending = false
        socket.shutdownSending()
    }

    func setReading(_ on: Bool) {
        guard isReading != on else { return }
        isReading = on
        if on { readSource.resume() } else { readSource.suspend() }
    }

    /// Runs `onWritable` on `queue` when the kernel takes bytes again. The source is made when first needed and runs only while
    /// bytes wait: a writable socket would fire without end.
    func awaitWritable(queue: DispatchQueue, onWritable: @escaping @Sendable () -> Void) {
        guard !awaitsWritable else { return }
        awaitsWritable = true
        if let writeSource { return writeSource.resume() }
        let source = DispatchSource.makeWriteSource(fileDescriptor: socket.descriptor, queue: queue)
        source.setEventHandler(handler: onWritable)
        source.setCancelHandler { [socket] in withExtendedLifetime(socket) {} }
        source.activate()
        writeSource = source
    }

    private func stopAwaitingWritable() {
        guard awaitsWritable else { return }
        awaitsWritable = false
        writeSource?.suspend()
    }

    /// Cancels the sources; the socket closes when both are done. A suspended source would never finish.
    func close() {
        // Without close_notify the peer could not tell the end from an attack (RFC 8446, 6.1).
        if let tls, handshake != .computing {
            tls.close()
            _ = write()
        }
        setReading(true)
        readSource.cancel()
        if let writeSource {
            if !awaitsWritable { writeSource.resume() }
            writeSource.cancel()
        }
        writeSource = nil
        awaitsWritable = false
    }
}
