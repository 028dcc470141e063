import Foundation

/// A listening socket, and whether it is watched.
final class Listener {
    private let id: Int
    private let socket: Socket
    private let sockets: SocketSet
    /// The file of a Unix socket; nil for other sockets.
    let file: SocketFile?

    /// - Parameters:
    ///   - id: Identifies its events.
    ///   - address: The address to which the socket is bound.
    init(id: Int, socket: Socket, address: ListeningAddress, sockets: SocketSet) throws(TransportError) {
        file = SocketFile.path(of: address.host).flatMap { SocketFile(path: $0) }
        self.id = id
        self.socket = socket
        self.sockets = sockets
        guard sockets.add(socket, as: id, .read) else { throw .system(call: "epoll_ctl", errno: errno) }
    }

    func accept() -> Socket.Accepted { socket.accept() }

    func pause() {
        sockets.change(socket, as: id, [])
    }

    func resume() {
        sockets.change(socket, as: id, .read)
    }

    func close() {
        // Removed first, while no other process can listen there.
        file?.remove()
        sockets.remove(socket)
    }
}
