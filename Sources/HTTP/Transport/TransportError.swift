import Foundation

/// Why a server could not listen.
public enum TransportError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The host is neither an address nor a name of this machine.
    case unknownHost(String, reason: String)
    /// The port is not in 0...65535.
    case invalidPort(Int)
    case addressInUse(host: String, port: Int)
    case permissionDenied(host: String, port: Int)
    case addressNotAvailable(host: String)
    /// Another process listens on this Unix socket.
    case socketInUse(path: String)
    /// The file at the path of a Unix socket exists and is not a socket.
    case noSocket(path: String)
    /// The path of a Unix socket must have 1 to 107 bytes.
    case invalidSocketPath(String)
    case system(call: String, errno: Int32, reason: String)

    /// Returns the error of a failed system call with this code.
    static func system(call: String, errno code: Int32) -> TransportError {
        .system(call: call, errno: code, reason: String(cString: strerror(code)))
    }

    public var description: String {
        switch self {
        case .unknownHost(let host, let reason): "cannot listen on '\(host)': \(reason)"
        case .invalidPort(let port): "\(port) is not a port number"
        case .addressInUse(let host, let port): "port \(port) on \(host) is already in use"
        case .permissionDenied(let host, let port): "no permission to listen on port \(port) on \(host)"
        case .addressNotAvailable(let host): "\(host) is not an address of this machine"
        case .socketInUse(let path): "another process listens on the socket '\(path)'"
        case .noSocket(let path): "cannot listen on '\(path)': the file exists and is not a socket"
        case .invalidSocketPath(let path):
            "the path of a Unix socket must have 1 to \(Socket.longestPath) bytes and no zero byte, not \(path.utf8.count)"
        case .system(let call, let errno, let reason): "\(call) failed: \(reason) (errno \(errno))"
        }
    }
}
