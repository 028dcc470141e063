import CEpoll
import Dispatch
import Foundation

/// Watches many sockets for reading and writing: an epoll set behind one dispatch source (Linux, epoll(7)).
///
/// A dispatch source for each socket would need two thread switches for each event. Here they are needed once for all sockets
/// that are ready at the same time. It is level-triggered: an event is reported until it is handled.
final class SocketSet {
    struct Interest: OptionSet {
        let rawValue: UInt32

        static let read = Interest(rawValue: EPOLLIN.rawValue)
        static let write = Interest(rawValue: EPOLLOUT.rawValue)
    }

    struct Event {
        /// The number under which the socket was added.
        let number: Int
        let isReadable: Bool
        let isWritable: Bool
        /// The socket was reset or closed by the peer; reported regardless of the interest.
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

    /// Starts to watch a socket. Returns false if the kernel cannot watch another one.
    func add(_ socket: Socket, as number: Int, _ interest: Interest) -> Bool {
        control(EPOLL_CTL_ADD, socket, number, interest)
    }

    func change(_ socket: Socket, as number: Int, _ interest: Interest) {
        _ = control(EPOLL_CTL_MOD, socket, number, interest)
    }

    /// Stops watching a socket; afterwards only events that have been taken already may have its number.
    func remove(_ socket: Socket) {
        _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, socket.descriptor, nil)
    }

    /// The events that are ready now, without waiting; more than 128 are left for the next call.
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
