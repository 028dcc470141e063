import Dispatch
import Foundation
import Synchronization

/// A bell between processes: a TCP connection from every other rank to rank 0. One byte on it wakes a rank; its end tells that a
/// process is gone, and timeouts of the system tell that a host is. A thread waits for both.
final class SocketBell: RankBell {
    private struct State {
        var lostRank: Int?
        var isClosing = false
        var observers: [@Sendable () -> Void] = []
    }

    /// Descriptors by rank: of rank 0 all others', of another rank that to rank 0.
    private let sockets: [Int: RankSocket]
    private let state = Mutex(State())
    private let rings = DispatchSemaphore(value: 0)

    /// - Parameter sockets: connections by rank; owned from now on.
    /// - Throws: if the system refuses to create the thread.
    init(_ sockets: [Int: RankSocket]) throws(RankFailure) {
        self.sockets = sockets
        do throws(SystemThread.Failure) {
            try SystemThread.start("bell", stackBytes: 512 << 10) { [self] in watch() }
        } catch {
            throw .transport(error.description)
        }
    }

    var lostRank: Int? { state.withLock(\.lostRank) }

    func ring() {
        for socket in sockets.values { socket.send([1]) }
    }

    func sleep(atMost limit: Duration) -> Bool {
        rings.wait(timeout: .now() + limit / .seconds(1)) == .success && lostRank == nil
    }

    func onLoss(_ body: @escaping @Sendable () -> Void) {
        let isLost = state.withLock { state in
            if state.lostRank == nil { state.observers.append(body) }
            return state.lostRank != nil
        }
        if isLost { body() }
    }

    /// From now on, a connection that ends is not a loss.
    func expectEnd() {
        state.withLock { $0.isClosing = true }
    }

    /// Ends all connections.
    func close() {
        expectEnd()
        for socket in sockets.values { socket.shutDown() }
    }

    /// The thread: until all connections have ended.
    private func watch() {
        var open = sockets
        while !open.isEmpty {
            let ranks = open.keys.sorted()
            var entries = ranks.map { rank in
                pollfd(fd: open[rank]?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
            }
            guard poll(&entries, nfds_t(entries.count), -1) > 0 else { continue }
            for (rank, entry) in zip(ranks, entries) where entry.revents != 0 {
                switch open[rank]?.receive() {
                case .bytes(let count):
                    for _ in 0..<count { rings.signal() }
                case .nothing: break
                case .end, nil:
                    open[rank] = nil
                    lose(rank)
                }
            }
        }
    }

    private func lose(_ rank: Int) {
        let observers = state.withLock { state in
            guard !state.isClosing, state.lostRank == nil else { return [@Sendable () -> Void]() }
            state.lostRank = rank
            defer { state.observers = [] }
            return state.observers
        }
        rings.signal()
        for observer in observers { observer() }
    }
}
