import Foundation

/// A non-blocking stream socket. This is the only file with socket calls. EINTR is handled here, and the possible results of a
/// call are an enum.
///
/// The descriptor is closed when the last reference is released. A closed socket is not in any ``SocketSet``.
final class Socket: Sendable {
    enum Accepted {
        case connection(Socket, peer: ListeningAddress)
        case wouldBlock
        /// This connection failed before it was accepted.
        case aborted
        /// There are no descriptors or memory left.
        case exhausted
    }

    enum Transfer {
        case bytes(Int)
        case wouldBlock
        /// FIN, a reset, or any error that ends the connection.
        case closed
    }

    let descriptor: Int32

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        Foundation.close(descriptor)
    }

    /// Creates a listening socket.
    ///
    /// - Parameters:
    ///   - host: An IPv4 or IPv6 address, a name of this machine, or `unix:` and a path.
    ///   - port: 0 lets the kernel choose. Unix sockets have none.
    static func listening(
        host: String, port: Int, backlog: Int
    ) throws(TransportError) -> (socket: Socket, address: ListeningAddress) {
        if let path = SocketFile.path(of: host) {
            let socket = try listening(path: path, backlog: backlog)
            return (socket, ListeningAddress(host: host, port: 0))
        }
        guard (0...65535).contains(port) else { throw .invalidPort(port) }
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0, let info = list?.pointee else {
            throw .unknownHost(host, reason: String(cString: gai_strerror(status)))
        }
        defer { freeaddrinfo(list) }

        let descriptor = Foundation.socket(info.ai_family, info.ai_socktype, info.ai_protocol)
        guard descriptor >= 0 else { throw failure("socket", host: host, port: port) }
        let socket = Socket(descriptor: descriptor)
        socket.set(SOL_SOCKET, SO_REUSEADDR)
        socket.makeNonBlocking()
        guard bind(descriptor, info.ai_addr, info.ai_addrlen) == 0 else {
            throw failure("bind", host: host, port: port)
        }
        guard listen(descriptor, Int32(clamping: backlog)) == 0 else { throw failure("listen", host: host, port: port) }
        let (_, address) = withAddress { getsockname(descriptor, $0, $1) }
        return (socket, address)
    }

    /// The maximum length of a path that fits the kernel's address with a terminating zero (Linux, unix(7)).
    static let longestPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// Creates a listening Unix socket. A file left behind by another process is replaced if no process listens on it.
    private static func listening(path: String, backlog: Int) throws(TransportError) -> Socket {
        let socket = try unconnected(path: path)
        if access(path, F_OK) == 0 {
            guard let file = SocketFile(path: path) else { throw .noSocket(path: path) }
            guard try !isListenedOn(path) else { throw .socketInUse(path: path) }
            file.remove()
        }
        guard withAddress(ofPath: path, { bind(socket.descriptor, $0, $1) }) == 0 else {
            throw .system(call: "bind to '\(path)'", errno: errno)
        }
        // Before any client can connect.
        chmod(path, SocketFile.mode)
        guard listen(socket.descriptor, Int32(clamping: backlog)) == 0 else {
            throw .system(call: "listen", errno: errno)
        }
        return socket
    }

    private static func isListenedOn(_ path: String) throws(TransportError) -> Bool {
        let probe = try unconnected(path: path)
        // A full backlog means that a process listens.
        return withAddress(ofPath: path) { connect(probe.descriptor, $0, $1) } == 0 || errno == EAGAIN
    }

    private static func unconnected(path: String) throws(TransportError) -> Socket {
        guard (1...longestPath).contains(path.utf8.count), !path.utf8.contains(0) else {
            throw .invalidSocketPath(path)
        }
        let descriptor = Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw .system(call: "socket", errno: errno) }
        let socket = Socket(descriptor: descriptor)
        socket.makeNonBlocking()
        return socket
    }

    private static func withAddress(
        ofPath path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// Returns the distinct numeric addresses of `host` to listen on.
    static func addresses(of host: String) throws(TransportError) -> [ListeningAddress] {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, "0", &hints, &list)
        guard status == 0 else { throw .unknownHost(host, reason: String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(list) }
        var found: [ListeningAddress] = []
        var next = list
        while let info = next {
            let address = read(info.pointee.ai_addr, length: info.pointee.ai_addrlen)
            if !found.contains(address) { found.append(address) }
            next = info.pointee.ai_next
        }
        return found
    }

    func accept() -> Accepted {
        while true {
            let (accepted, peer) = Self.withAddress { Foundation.accept(descriptor, $0, $1) }
            if accepted >= 0 {
                let socket = Socket(descriptor: accepted)
                socket.makeNonBlocking()
                socket.set(Int32(IPPROTO_TCP), TCP_NODELAY)
                return .connection(socket, peer: peer)
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted
            default: return .aborted
            }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .closed }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .closed
            }
        }
    }

    /// - Parameter buffer: Not empty.
    func write(_ buffer: UnsafeRawBufferPointer) -> Transfer {
        while true {
            // With MSG_NOSIGNAL, a peer that is gone causes an error code and no signal.
            let count = Foundation.send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
            if count >= 0 { return .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS: return .wouldBlock
            default: return .closed
            }
        }
    }

    /// Sends FIN after the written bytes.
    func shutdownSending() {
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    private func makeNonBlocking() {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    private func set(_ level: Int32, _ option: Int32) {
        var on: Int32 = 1
        _ = setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func failure(_ call: String, host: String, port: Int) -> TransportError {
        let code = errno
        return switch code {
        case EADDRINUSE: .addressInUse(host: host, port: port)
        case EACCES: .permissionDenied(host: host, port: port)
        case EADDRNOTAVAIL, EAFNOSUPPORT: .addressNotAvailable(host: host)
        default: .system(call: call, errno: code)
        }
    }

    /// Runs a call that fills in an address, and parses the address.
    private static func withAddress(
        _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (result: Int32, address: ListeningAddress) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let result = call(address, &length)
                guard result >= 0 else { return (result, ListeningAddress(host: "", port: 0)) }
                return (result, read(address, length: length))
            }
        }
    }

    private static func read(_ address: UnsafePointer<sockaddr>, length: socklen_t) -> ListeningAddress {
        // The sockets of clients have no path.
        if address.pointee.sa_family == sa_family_t(AF_UNIX) {
            return ListeningAddress(host: SocketFile.prefix, port: 0)
        }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        getnameinfo(
            address, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
            NI_NUMERICHOST | NI_NUMERICSERV)
        return ListeningAddress(host: text(host), port: Int(text(service)) ?? 0)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
