import CEpoll
import Dispatch
import Foundation

/// Tells which of many sockets can be read or written: an epoll set behind one dispatch source (Linux, epoll(7)).
///
/// A dispatch source for each socket would change threads twice for each event. Here that is paid once for all sockets that
/// are ready at the same time. Readiness is a level: it is told again until it is taken.
final class SocketSet {
    struct Interest: OptionSet {
        let rawValue: UInt32

        static let read = Interest(rawValue: EPOLLIN.rawValue)
        static let write = Interest(rawValue: EPOLLOUT.rawValue)
    }

    struct Event {
        /// What the socket was added as.
        let number: Int
        let isReadable: Bool
        let isWritable: Bool
        /// Reset, or ended by the peer: told whatever the interest.
        let isBroken: Bool
    }

    private let descriptor: Int32
    private let source: any DispatchSourceRead
    private var ready = [epoll_event](repeating: epoll_event(), count: 128)

    /// - Parameter onReady: Runs on `queue` when there are events to `take`.
    init(queue: DispatchQueue, onReady: @escaping @Sendable () -> Void) throws(TransportError) {
        let descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw .system(call: "epoll_create1", errno: errno) }
        self.descriptor = descriptor
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler(handler: onReady)
        source.setCancelHandler { Foundation.close(descriptor) }
        source.activate()
    }

    deinit {
        source.cancel()
    }

    /// Begins to watch a socket. False: the kernel has no room for one more.
    func add(_ socket: Socket, as number: Int, _ interest: Interest) -> Bool {
        control(EPOLL_CTL_ADD, socket, number, interest)
    }

    func change(_ socket: Socket, as number: Int, _ interest: Interest) {
        _ = control(EPOLL_CTL_MOD, socket, number, interest)
    }

    /// Ends watching; later than this the number is not told any more, but for events that have been taken already.
    func remove(_ socket: Socket) {
        _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, socket.descriptor, nil)
    }

    /// What is ready now, without waiting; more than 128 at a time are left for the next call.
    func take() -> [Event] {
        let count = epoll_wait(descriptor, &ready, Int32(ready.count), 0)
        guard count > 0 else { return [] }
        return ready[..<Int(count)].map { event in
            let isBroken = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue | EPOLLRDHUP.rawValue) != 0
            return Event(
                number: Int(event.data.u64), isReadable: event.events & EPOLLIN.rawValue != 0,
                isWritable: event.events & EPOLLOUT.rawValue != 0, isBroken: isBroken)
        }
    }

    private func control(_ operation: Int32, _ socket: Socket, _ number: Int, _ interest: Interest) -> Bool {
        var event = epoll_event()
        event.events = interest.rawValue | EPOLLRDHUP.rawValue
        event.data.u64 = UInt64(number)
        return epoll_ctl(descriptor, operation, socket.descriptor, &event) == 0
    }
}
