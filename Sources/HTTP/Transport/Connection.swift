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

    private let socket: Socket
    private let readSource: any DispatchSourceRead
    private var writeSource: (any DispatchSourceWrite)?
    private var isReading = true
    private(set) var awaitsWritable = false

    /// - Parameter onReadable: Runs on `queue` whenever bytes or the end can be read.
    init(
        id: Int, socket: Socket, peer: String, machine: ConnectionMachine, queue: DispatchQueue,
        onReadable: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.peer = peer
        self.machine = machine
        self.socket = socket
        readSource = DispatchSource.makeReadSource(fileDescriptor: socket.descriptor, queue: queue)
        readSource.setEventHandler(handler: onReadable)
        readSource.setCancelHandler { [socket] in withExtendedLifetime(socket) {} }
        readSource.activate()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Socket.Transfer { socket.read(into: buffer) }

    /// Writes what waits in the machine's buffer.
    func write() -> Socket.Transfer { machine.outbound.withUnsafeBytes(socket.write) }

    func shutdownSending() { socket.shutdownSending() }

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

    func stopAwaitingWritable() {
        guard awaitsWritable else { return }
        awaitsWritable = false
        writeSource?.suspend()
    }

    /// Cancels the sources; the socket closes when both are done. A suspended source would never finish.
    func close() {
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
