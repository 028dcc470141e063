import Foundation
import HTTP

/// A connection to a server or a proxy, with a buffer of received bytes. One thread uses it and blocks while it waits.
final class WebConnection {
    /// The time by which the current work must be complete, even if bytes keep arriving.
    var deadline: ContinuousClock.Instant
    private let host: String
    private let descriptor: Int32
    private let silence: Duration
    private let mustStop: @Sendable () -> Bool
    private var session: TLSSession?
    /// Received bytes that have not been consumed yet.
    private var received: ArraySlice<UInt8> = []

    /// The maximum number of bytes of one read.
    private static let readBytes = 256 * 1024
    /// The time within which an address of the host must accept a connection.
    private static let connectTime = Duration.seconds(10)
    /// The maximum time until a wait ends after the user stops the work.
    private static let stopTime = Duration.milliseconds(200)

    /// Connects to the first address of the host that accepts a connection.
    ///
    /// - Parameters:
    ///   - address: The server or the proxy.
    ///   - silence: The maximum time for which the server may send nothing.
    ///   - deadline: The time by which the first reply must be complete.
    ///   - mustStop: A function that is called several times per second during waits. Waits end once it returns true.
    init(
        _ address: WebAddress, silence: Duration, deadline: ContinuousClock.Instant,
        mustStop: @escaping @Sendable () -> Bool
    ) throws(WebError) {
        host = address.host
        self.silence = silence
        self.deadline = deadline
        self.mustStop = mustStop
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(address.host, String(address.port), &hints, &list)
        guard status == 0 else { throw .noHost(address.host, reason: String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(list) }
        var next = list
        var reason = "no address"
        while let info = next {
            switch Self.connect(info.pointee, mustStop) {
            case .success(let socket):
                descriptor = socket
                return
            case .failure(let error): reason = String(cString: strerror(error.errno))
            }
            if mustStop() { throw .stopped }
            next = info.pointee.ai_next
        }
        throw .connect(address.authority, reason: reason)
    }

    deinit { close(descriptor) }

    /// Starts TLS. The certificate must be valid for the host.
    func startTLS(_ context: TLSClientContext, host: String) throws(WebError) {
        let session = context.makeSession(host: host)
        while true {
            let state = session.handshake()
            try sendRaw(session.takeOutput())
            switch state {
            case .done:
                self.session = session
                return
            case .unfinished:
                let bytes = try receiveRaw()
                guard !bytes.isEmpty else { throw .closed(host) }
                session.receive(bytes[...])
            case .failed: throw .tls(host, reason: session.verificationFailure ?? "the TLS handshake failed")
            case .plainHTTP: throw .tls(host, reason: "the server does not use TLS")
            }
        }
    }

    func send(_ bytes: [UInt8]) throws(WebError) {
        guard let session else { return try sendRaw(bytes) }
        var sent = 0
        while sent < bytes.count {
            guard let count = session.write(Array(bytes[sent...])) else { throw .closed(host) }
            sent += count
            try sendRaw(session.takeOutput())
        }
    }

    /// Returns the next line without its line ending. Its bytes become Latin-1 characters, so that no byte is lost.
    func line(atMost limit: Int) throws(WebError) -> String {
        var line: [UInt8] = []
        while true {
            let bytes = try some(atMost: .max)
            guard !bytes.isEmpty else { throw .closed(host) }
            let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
            line += bytes[..<(end ?? bytes.endIndex)]
            guard line.count <= limit else { throw .malformed(host, reason: "a line of more than \(limit) bytes") }
            if let end {
                received = bytes[(end + 1)...]
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                return String(String.UnicodeScalarView(line.map(Unicode.Scalar.init)))
            }
        }
    }

    /// Returns the next bytes, at least one and at most `limit`. The result is empty at the end of the connection.
    func some(atMost limit: Int) throws(WebError) -> ArraySlice<UInt8> {
        if received.isEmpty { received = try fill() }
        let bytes = received.prefix(limit)
        received = received.dropFirst(bytes.count)
        return bytes
    }

    private func fill() throws(WebError) -> ArraySlice<UInt8> {
        guard let session else { return try receiveRaw()[...] }
        while true {
            switch session.read() {
            case .bytes(let bytes): return bytes[...]
            case .closed: return []
            case .nothing:
                try sendRaw(session.takeOutput())
                let bytes = try receiveRaw()
                guard !bytes.isEmpty else { return [] }
                session.receive(bytes[...])
            }
        }
    }

    // MARK: The socket

    private struct Failure: Error { let errno: Int32 }

    private static func connect(_ info: addrinfo, _ mustStop: () -> Bool) -> Result<Int32, Failure> {
        let socket = Foundation.socket(info.ai_family, info.ai_socktype, info.ai_protocol)
        guard socket >= 0 else { return .failure(Failure(errno: errno)) }
        _ = fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK)
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
        if Foundation.connect(socket, info.ai_addr, info.ai_addrlen) == 0 { return .success(socket) }
        var failure = errno
        if failure == EINPROGRESS {
            if wait(for: POLLOUT, socket, until: .now + connectTime, mustStop) {
                failure = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(socket, SOL_SOCKET, SO_ERROR, &failure, &length)
            } else {
                failure = ETIMEDOUT
            }
        }
        if failure == 0 { return .success(socket) }
        close(socket)
        return .failure(Failure(errno: failure))
    }

    /// Returns whether the socket becomes ready before `end` and before the user stops the work.
    private static func wait(
        for events: Int32, _ socket: Int32, until end: ContinuousClock.Instant, _ mustStop: () -> Bool
    ) -> Bool {
        while !mustStop() {
            let left = min(end - .now, stopTime)
            guard left > .zero else { return false }
            var poll = pollfd(fd: socket, events: Int16(events), revents: 0)
            // At least one millisecond. Otherwise the last millisecond would be a busy loop.
            let result = Foundation.poll(&poll, 1, Int32(left / .milliseconds(1)) + 1)
            if result > 0 { return true }
            if result < 0, errno != EINTR { return true }
        }
        return false
    }

    private func wait(for events: Int32) throws(WebError) {
        if Self.wait(for: events, descriptor, until: min(.now + silence, deadline), mustStop) { return }
        throw mustStop() ? .stopped : .timeout(host)
    }

    private func sendRaw(_ bytes: [UInt8]) throws(WebError) {
        var sent = 0
        while sent < bytes.count {
            // If the peer has closed the connection, the call returns an error and raises no signal.
            let count = bytes.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                sent += count
            } else if errno == EAGAIN {
                try wait(for: POLLOUT)
            } else if errno != EINTR {
                throw .closed(host)
            }
        }
    }

    /// Returns the next bytes of the socket. The result is empty at the end of the connection.
    private func receiveRaw() throws(WebError) -> [UInt8] {
        guard ContinuousClock.now < deadline else { throw .timeout(host) }
        while true {
            var (result, number): (Int, Int32) = (0, 0)
            let bytes = [UInt8](unsafeUninitializedCapacity: Self.readBytes) { buffer, count in
                result = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                number = errno
                count = max(0, result)
            }
            if result >= 0 { return bytes }
            switch number {
            case EINTR: continue
            case EAGAIN: try wait(for: POLLIN)
            default: throw .closed(host)
            }
        }
    }
}
