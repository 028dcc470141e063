import Dispatch

/// A listening socket and its dispatch source.
final class Listener {
    private let socket: Socket
    private let source: any DispatchSourceRead
    private var isPaused = false

    /// - Parameter onAcceptable: Runs on `queue` whenever connections wait.
    init(socket: Socket, queue: DispatchQueue, onAcceptable: @escaping @Sendable () -> Void) {
        self.socket = socket
        source = DispatchSource.makeReadSource(fileDescriptor: socket.descriptor, queue: queue)
        source.setEventHandler(handler: onAcceptable)
        source.setCancelHandler { [socket] in withExtendedLifetime(socket) {} }
        source.activate()
    }

    func accept() -> Socket.Accepted { socket.accept() }

    func pause() {
        guard !isPaused else { return }
        isPaused = true
        source.suspend()
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        source.resume()
    }

    func close() {
        resume()
        source.cancel()
    }
}
