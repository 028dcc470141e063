import Foundation

/// A blocking client on a plain socket, which can violate the protocol in ways that libraries cannot. It must not run on the
/// tests' own threads.
final class TestClient: Sendable {
    enum Failure: Error {
        case connect(errno: Int32)
        case ended(after: String)
    }

    private let descriptor: Int32

    /// - Parameters:
    ///   - host: An IPv4 address.
    ///   - receiveBuffer: The kernel's receive buffer in bytes, small for a slow reader.
    ///   - patience: The maximum wait for the server of a call, in milliseconds.
    init(port: Int, address host: String = "127.0.0.1", receiveBuffer: Int32? = nil, patience: Int = 60_000) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: patience / 1000, tv_usec: suseconds_t(patience % 1000 * 1000))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        if var receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure.connect(errno: errno) }
    }

    /// - Parameter path: The path of a Unix socket.
    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw Failure.connect(errno: errno) }
    }

    deinit {
        close(descriptor)
    }

    /// Sends all of it; returns false if the server does not accept it.
    @discardableResult
    func send(_ bytes: some Collection<UInt8>) -> Bool {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(text.utf8) }

    /// The input up to and including `end`.
    func receive(until end: String) throws -> String {
        var text: [UInt8] = []
        let end = Array(end.utf8)
        while !text.suffix(end.count).elementsEqual(end) {
            guard let byte = receive(atMost: 1)?.first else {
                throw Failure.ended(after: String(decoding: text, as: UTF8.self))
            }
            text.append(byte)
        }
        return String(decoding: text, as: UTF8.self)
    }

    func receive(count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = receive(atMost: min(65536, count - bytes.count)) else {
                throw Failure.ended(after: "\(bytes.count) bytes")
            }
            bytes += more
        }
        return bytes
    }

    /// A reply with Content-Length.
    func receiveReply() throws -> (head: String, body: [UInt8]) {
        let head = try receive(until: "\r\n\r\n")
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }?.dropFirst(16)
        return (head, try receive(count: length.flatMap { Int($0) } ?? 0))
    }

    /// All input until the server closes.
    func receiveToEnd() -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = receive(atMost: 65536) { bytes += more }
        return bytes
    }

    /// Sends FIN.
    func finishSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Closes with a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Foundation.linger>.size))
    }

    /// Nil at the end, or if nothing arrives for a long time.
    private func receive(atMost count: Int) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = max(0, recv(descriptor, buffer.baseAddress, count, 0))
        }
        return bytes.isEmpty ? nil : bytes
    }
}

/// Runs blocking work on a separate thread: the tests' shared threads must stay free for the server's tasks.
func onThread<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Swift.Result { try work() }) }
    }
}
