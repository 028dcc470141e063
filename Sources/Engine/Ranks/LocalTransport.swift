import Dispatch
import Synchronization

/// Ranks that are threads of one process, so that tests need neither MPI nor other processes.
final class LocalRanks: Sendable {
    private struct State {
        /// The messages in transit, indexed by sender and receiver.
        var queues: [[[[UInt8]]]]
        var failure: RankFailure?
        /// The number of times that the bell has rung.
        var rings = 0
        var observers: [@Sendable () -> Void] = []
    }

    let count: Int
    private let state: Mutex<State>
    private let bells: [RingCount]

    init(count: Int) {
        self.count = count
        let row = [[[UInt8]]](repeating: [], count: count)
        state = Mutex(State(queues: [[[[UInt8]]]](repeating: row, count: count)))
        bells = (0..<count).map { _ in RingCount() }
    }

    /// Returns the transport of one rank.
    func transport(rank: Int) -> LocalTransport { LocalTransport(rank: rank, of: self) }

    /// Simulates the end of a rank's process.
    func lose(rank: Int) {
        let observers = state.withLock { state in
            guard state.failure == nil else { return [@Sendable () -> Void]() }
            state.failure = .lost(rank: rank)
            defer { state.observers = [] }
            return state.observers
        }
        for observer in observers { observer() }
        for bell in bells { bell.signal() }
    }

    fileprivate func send(_ bytes: [UInt8], from sender: Int, to rank: Int) {
        state.withLock { $0.queues[sender][rank].append(bytes) }
    }

    fileprivate func receive(from sender: Int, to rank: Int) -> [UInt8]? {
        state.withLock { state in
            state.queues[sender][rank].isEmpty ? nil : state.queues[sender][rank].removeFirst()
        }
    }

    fileprivate var failure: RankFailure? { state.withLock(\.failure) }

    /// The number of times that the bell has rung.
    var rings: Int { state.withLock(\.rings) }

    /// The sleeping ranks.
    var sleeping: [Int] { bells.indices.filter { bells[$0].isAwaited } }

    /// Registers a function to call when a rank is lost. Functions are called in the order of registration.
    func onLoss(_ body: @escaping @Sendable () -> Void) {
        let isLost = state.withLock { state in
            if state.failure == nil { state.observers.append(body) }
            return state.failure != nil
        }
        if isLost { body() }
    }

    fileprivate func ring(from rank: Int) {
        state.withLock { $0.rings += 1 }
        for (index, bell) in bells.enumerated() where index != rank { bell.signal() }
    }

    fileprivate func sleep(_ rank: Int) {
        bells[rank].wait()
    }
}

/// A counter of the rings that a rank has not yet waited for.
private final class RingCount: Sendable {
    /// The number of rings minus the number of waits. It is negative while the rank sleeps.
    private let difference = Mutex(0)
    private let semaphore = DispatchSemaphore(value: 0)

    var isAwaited: Bool { difference.withLock { $0 < 0 } }

    func signal() {
        difference.withLock { $0 += 1 }
        semaphore.signal()
    }

    func wait() {
        difference.withLock { $0 -= 1 }
        semaphore.wait()
    }
}

/// One rank's transport to the others of ``LocalRanks``.
final class LocalTransport: RankTransport {
    private struct Bell: RankBell {
        let rank: Int
        let group: LocalRanks

        var failure: RankFailure? { group.failure }
        func ring() { group.ring(from: rank) }
        func sleep() { group.sleep(rank) }
        func onLoss(_ body: @escaping @Sendable () -> Void) { group.onLoss(body) }
    }

    let rank: Int
    var ranks: Int { group.count }
    let bell: any RankBell
    private let group: LocalRanks

    fileprivate init(rank: Int, of group: LocalRanks) {
        self.rank = rank
        self.group = group
        bell = Bell(rank: rank, group: group)
    }

    func send(_ bytes: [UInt8], to rank: Int) throws(RankFailure) {
        group.send(bytes, from: self.rank, to: rank)
    }

    func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8]? {
        guard let bytes = group.receive(from: rank, to: self.rank) else { return nil }
        guard bytes.count <= limit else {
            throw .message(rank: rank, reason: "has \(bytes.count) bytes, more than \(limit)")
        }
        return bytes
    }

    func progress() -> Bool { true }
    func close() {}
    func abandon() { group.lose(rank: rank) }
}
