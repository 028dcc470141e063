import Foundation

/// A TCP connection that detects within seconds that the other host is lost.
final class RankSocket: Sendable {
    /// The result of `receive`.
    enum Received {
        case bytes(ArraySlice<UInt8>)
        case nothing
        /// The connection has ended, or the host does not respond.
        case end
    }

    /// The time in milliseconds after which a host that does not respond counts as lost. Probes are sent every second.
    private static let timeout: Int32 = 3_000

    let descriptor: Int32

    /// - Parameter descriptor: The file descriptor, which this object then owns.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        for (level, option, value) in [
            (Int32(IPPROTO_TCP), TCP_NODELAY, 1), (SOL_SOCKET, SO_KEEPALIVE, 1), (Int32(IPPROTO_TCP), TCP_KEEPIDLE, 1),
            (Int32(IPPROTO_TCP), TCP_KEEPINTVL, 1), (Int32(IPPROTO_TCP), TCP_KEEPCNT, 3),
            (Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Self.timeout),
        ] as [(Int32, Int32, Int32)] {
            var value = value
            setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    deinit {
        close(descriptor)
    }

    /// Sends without waiting. Bytes that do not fit in the socket's buffer are dropped.
    func send(_ bytes: [UInt8]) {
        _ = Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    /// Receives without waiting.
    func receive() -> Received {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count > 0 { return .bytes(buffer.prefix(count)) }
        if count < 0, errno == EAGAIN || errno == EINTR { return .nothing }
        return .end
    }

    /// Waits at most `limit` for exactly `count` bytes. Returns `nil` if they do not arrive.
    func receive(_ count: Int, within limit: Duration) -> [UInt8]? {
        var bytes: [UInt8] = []
        let end = ContinuousClock.now + limit
        while bytes.count < count {
            guard wait(for: POLLIN, until: end) else { return nil }
            var buffer = [UInt8](repeating: 0, count: count - bytes.count)
            let received = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if received > 0 {
                bytes += buffer.prefix(received)
            } else if received == 0 || errno != EAGAIN && errno != EINTR {
                return nil
            }
        }
        return bytes
    }

    func shutDown() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    fileprivate func wait(for events: Int32, until end: ContinuousClock.Instant) -> Bool {
        let left = max(end - .now, .zero) / .milliseconds(1)
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&entry, 1, Int32(left.rounded(.up))) > 0
    }
}

extension RankSocket {
    /// Connects to a numeric address. Returns `nil` if there is no answer within `limit`.
    static func connect(_ host: String, port: UInt16, within limit: Duration) -> RankSocket? {
        guard let address = SocketAddress(host, port: port) else { return nil }
        let descriptor = socket(
            address.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        let connection = RankSocket(descriptor)
        if address.with({ Foundation.connect(descriptor, $0, $1) }) == 0 { return connection }
        guard errno == EINPROGRESS, connection.wait(for: POLLOUT, until: .now + limit) else { return nil }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
        return code == 0 ? connection : nil
    }

    /// Listens on a port that the system chooses, on all addresses.
    static func listen() throws(RankFailure) -> (socket: RankSocket, port: UInt16) {
        // "::" also accepts IPv4, unless the system has no IPv6. IPV6_V6ONLY is switched off explicitly because net.ipv6.bindv6only
        // may set it by default.
        for host in ["::", "0.0.0.0"] {
            guard let address = SocketAddress(host, port: 0) else { continue }
            let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { continue }
            let listener = RankSocket(descriptor)
            if address.family == AF_INET6 {
                var isOff: Int32 = 0
                setsockopt(
                    descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &isOff, socklen_t(MemoryLayout<Int32>.size))
            }
            guard address.with({ bind(descriptor, $0, $1) }) == 0, Foundation.listen(descriptor, 128) == 0,
                let port = SocketAddress.port(of: descriptor)
            else { continue }
            return (listener, port)
        }
        throw .transport("cannot listen for other ranks: \(String(cString: strerror(errno)))")
    }

    /// Waits for a connection. Returns `nil` if none arrives.
    func accept(until end: ContinuousClock.Instant) -> RankSocket? {
        guard wait(for: POLLIN, until: end) else { return nil }
        let accepted = Foundation.accept(descriptor, nil, nil)
        guard accepted >= 0 else { return nil }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return RankSocket(accepted)
    }
}

/// A numeric IPv4 or IPv6 address.
struct SocketAddress {
    let family: Int32
    private let bytes: [UInt8]

    init?(_ host: String, port: UInt16) {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let first = list else { return nil }
        defer { freeaddrinfo(list) }
        family = first.pointee.ai_family
        bytes = Array(UnsafeRawBufferPointer(start: first.pointee.ai_addr, count: Int(first.pointee.ai_addrlen)))
    }

    func with<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(bytes.count)) }
        }
    }

    /// Returns the port of a socket.
    static func port(of descriptor: Int32) -> UInt16? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard code == 0 else { return nil }
        // The port is at the same offset in both address families.
        return withUnsafeBytes(of: &storage) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
    }

    /// Returns the addresses of this machine without link-local ones. Loopback addresses are last.
    static func ownAddresses() -> [String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return ["127.0.0.1"] }
        defer { freeifaddrs(list) }
        var (addresses, loopbacks): ([String], [String]) = ([], [])
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = entry.ifa_addr else { continue }
            let size: Int
            switch Int32(address.pointee.sa_family) {
            case AF_INET: size = MemoryLayout<sockaddr_in>.size
            case AF_INET6: size = MemoryLayout<sockaddr_in6>.size
            default: continue
            }
            var name = [CChar](repeating: 0, count: 128)
            guard getnameinfo(address, socklen_t(size), &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST) == 0
            else { continue }
            let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("fe80") { continue }
            if entry.ifa_flags & UInt32(IFF_LOOPBACK) != 0 { loopbacks.append(text) } else { addresses.append(text) }
        }
        return addresses + loopbacks
    }
}
