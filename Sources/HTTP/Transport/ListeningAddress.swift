import Foundation

/// The address of a listener, with the actual port if 0 was requested.
public struct ListeningAddress: Sendable, Hashable, CustomStringConvertible {
    /// The numeric address, IPv6 without brackets, or `unix:` and the path of a socket.
    public var host: String
    /// The port; 0 for a Unix socket.
    public var port: Int

    public var description: String {
        if SocketFile.path(of: host) != nil { return host }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Whether it is reachable only from this machine.
    public var isLoopback: Bool { Self.isLoopback(host) }

    /// Whether `host` is a Unix socket or a numeric loopback address: 127.0.0.0/8 (RFC 1122, 3.2.1.3), ::1, or an IPv4-mapped
    /// address of the former.
    public static func isLoopback(_ host: String) -> Bool {
        if SocketFile.path(of: host) != nil { return true }
        var four = in_addr()
        if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
        var six = in6_addr()
        guard inet_pton(AF_INET6, host, &six) == 1 else { return false }
        let bytes = withUnsafeBytes(of: six) { Array($0) }
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 127]
        return bytes == [UInt8](repeating: 0, count: 15) + [1] || bytes.starts(with: mapped)
    }

    /// Returns the numeric addresses of a host, in the order of the system's preference, with port 0. Blocks during name
    /// resolution.
    ///
    /// - Parameter host: An IPv4 or IPv6 address (optionally in brackets), a name, or `unix:` and a path.
    /// - Throws: `unknownHost`.
    public static func resolve(_ host: String) throws(TransportError) -> [ListeningAddress] {
        if SocketFile.path(of: host) != nil { return [ListeningAddress(host: host, port: 0)] }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.contains(":")
        return try Socket.addresses(of: isBracketed ? String(host.dropFirst().dropLast()) : host)
    }
}
