import Dispatch
import Foundation
import Synchronization

/// A bell between processes that uses a TCP connection from every other rank to rank 0. Its bytes are heartbeats, which show that a
/// process is running, and rings, which wake a rank. The end of a connection shows that a process has ended, timeouts of the system
/// show that a host is lost, and missing heartbeats show that a process does not respond. One thread waits for all connections.
final class SocketBell: RankBell {
    private struct State {
        var failure: RankFailure?
        var isClosing = false
        var observers: [@Sendable () -> Void] = []
    }

    private static let beatByte: UInt8 = 0
    private static let ringByte: UInt8 = 1
    private static let beatInterval = Duration.milliseconds(250)
    /// The minimum timeout, so that a late heartbeat is not a failure.
    private static let shortestTimeout = Duration.seconds(1)
    /// If two iterations are further apart than this, this process itself was stopped.
    private static let longestTurn = Duration.seconds(1)

    /// The connections by rank: on rank 0 those to all other ranks, on another rank the one to rank 0.
    private let sockets: [Int: RankSocket]
    /// How long a rank may be silent, or `nil` for no limit.
    private let timeout: Duration?
    private let state = Mutex(State())
    private let rings = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - sockets: The connections by rank, which this object then owns.
    ///   - timeout: How long a rank may be silent, at least a second, or `nil` for no limit.
    /// - Throws: `RankFailure.transport` if the system refuses to create the thread.
    init(_ sockets: [Int: RankSocket], timeout: Duration?) throws(RankFailure) {
        self.sockets = sockets
        self.timeout = timeout.map { max($0, Self.shortestTimeout) }
        do throws(SystemThread.Failure) {
            try SystemThread.start("bell", stackBytes: 512 << 10) { [self] in watch() }
        } catch {
            throw .transport(error.description)
        }
    }

    var failure: RankFailure? { state.withLock(\.failure) }

    func ring() {
        for socket in sockets.values { socket.send([Self.ringByte]) }
    }

    func sleep() {
        rings.wait()
    }

    func onLoss(_ body: @escaping @Sendable () -> Void) {
        let isLost = state.withLock { state in
            if state.failure == nil { state.observers.append(body) }
            return state.failure != nil
        }
        if isLost { body() }
    }

    /// Stops treating the end of a connection as a loss.
    func expectEnd() {
        state.withLock { $0.isClosing = true }
    }

    /// Closes all connections.
    func close() {
        expectEnd()
        for socket in sockets.values { socket.shutDown() }
    }

    /// The body of the thread. It runs until all connections have ended.
    private func watch() {
        let clock = ContinuousClock()
        var open = sockets
        var turn = clock.now
        var nextBeat = turn
        // Rank 0 sends its first heartbeat after all other ranks have connected.
        var heard = sockets.mapValues { _ in turn + BellInvitation.patience }
        while !open.isEmpty {
            let ranks = open.keys.sorted()
            var entries = ranks.map { rank in
                pollfd(fd: open[rank]?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
            }
            let left = max(nextBeat - clock.now, .zero) / .milliseconds(1)
            let found = poll(&entries, nfds_t(entries.count), Int32(left.rounded(.up)))
            let now = clock.now
            if now - turn > Self.longestTurn { heard = heard.mapValues { max($0, now) } }
            turn = now
            for (rank, entry) in zip(ranks, entries) where found > 0 && entry.revents != 0 {
                switch open[rank]?.receive() {
                case .bytes(let bytes):
                    heard[rank] = now
                    for byte in bytes where byte == Self.ringByte { rings.signal() }
                case .nothing: break
                case .end, nil:
                    open[rank] = nil
                    fail(.lost(rank: rank))
                }
            }
            if now >= nextBeat {
                nextBeat = now + Self.beatInterval
                for socket in open.values { socket.send([Self.beatByte]) }
            }
            guard let timeout else { continue }
            for rank in ranks where open[rank] != nil && now - (heard[rank] ?? now) > timeout {
                fail(.timeout(rank: rank, seconds: timeout / .seconds(1)))
            }
        }
    }

    /// Records a failure. Only the first one counts.
    private func fail(_ failure: RankFailure) {
        let observers: [@Sendable () -> Void]? = state.withLock { state in
            guard !state.isClosing, state.failure == nil else { return nil }
            state.failure = failure
            defer { state.observers = [] }
            return state.observers
        }
        guard let observers else { return }
        rings.signal()
        for observer in observers { observer() }
    }
}
