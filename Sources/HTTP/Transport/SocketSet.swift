import CEpoll
import Foundation

/// Watches many sockets for reading and writing, with an epoll set (Linux, epoll(7)). It is level-triggered: an event is
/// reported until it is handled.
final class SocketSet: Sendable {
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

    /// The number of the event of `wake`; no socket has it.
    private static let wakeUp = UInt64.max

    private let descriptor: Int32
    /// An eventfd(2) that `wake` writes to.
    private let waker: Int32

    init() throws(TransportError) {
        let descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw .system(call: "epoll_create1", errno: errno) }
        let waker = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard waker >= 0 else {
            let code = errno
            Foundation.close(descriptor)
            throw .system(call: "eventfd", errno: code)
        }
        (self.descriptor, self.waker) = (descriptor, waker)
        // Edge-triggered, so that the written number need not be read.
        guard control(EPOLL_CTL_ADD, waker, Self.wakeUp, EPOLLIN.rawValue | EPOLLET.rawValue) else {
            throw .system(call: "epoll_ctl", errno: errno)
        }
    }

    deinit {
        Foundation.close(waker)
        Foundation.close(descriptor)
    }

    /// Starts to watch a socket. Returns false if the kernel cannot watch another one.
    func add(_ socket: Socket, as number: Int, _ interest: Interest) -> Bool {
        control(EPOLL_CTL_ADD, socket, number, interest)
    }

    func change(_ socket: Socket, as number: Int, _ interest: Interest) {
        _ = control(EPOLL_CTL_MOD, socket, number, interest)
    }

    /// Stops watching a socket. Afterwards, only events that have been taken already may have its number.
    func remove(_ socket: Socket) {
        _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, socket.descriptor, nil)
    }

    /// Ends the current `wait` of another thread, or the next one if there is none.
    func wake() {
        eventfd_write(waker, 1)
    }

    /// Waits until a socket is ready, at most until `deadline` and at most a minute; without a deadline, as long as necessary.
    /// Returns up to 128 events. Others are left for the next call.
    ///
    /// - Parameter polling: The maximum time for which the thread polls before it blocks. It uses a CPU for this time.
    func wait(until deadline: ContinuousClock.Instant?, polling: Duration = .zero) -> [Event] {
        let capacity = 128
        return withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: capacity) { ready in
            var count: Int32 = 0
            if polling > .zero {
                let end = ContinuousClock.now + polling
                let last = deadline.map { min($0, end) } ?? end
                repeat {
                    count = epoll_wait(descriptor, ready.baseAddress, Int32(capacity), 0)
                } while count == 0 && .now < last
            }
            if count == 0 {
                count = epoll_wait(descriptor, ready.baseAddress, Int32(capacity), Self.milliseconds(until: deadline))
            }
            guard count > 0 else { return [] }
            return ready[..<Int(count)].compactMap { event in
                guard event.data.u64 != Self.wakeUp else { return nil }
                let isBroken = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue | EPOLLRDHUP.rawValue) != 0
                return Event(
                    number: Int(event.data.u64), isReadable: event.events & EPOLLIN.rawValue != 0,
                    isWritable: event.events & EPOLLOUT.rawValue != 0, isBroken: isBroken)
            }
        }
    }

    /// Returns the timeout for a deadline, rounded up so that the deadline has passed after the wait; -1 without a deadline.
    private static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
        return Int32(min(max(left.rounded(.up), 0), 60_000))
    }

    private func control(_ operation: Int32, _ socket: Socket, _ number: Int, _ interest: Interest) -> Bool {
        control(operation, socket.descriptor, UInt64(number), interest.rawValue | EPOLLRDHUP.rawValue)
    }

    private func control(_ operation: Int32, _ watched: Int32, _ number: UInt64, _ events: UInt32) -> Bool {
        var event = epoll_event()
        event.events = events
        event.data.u64 = number
        return epoll_ctl(descriptor, operation, watched, &event) == 0
    }
}
