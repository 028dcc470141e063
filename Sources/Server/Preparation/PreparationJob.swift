import Basics
import Dispatch
import Synchronization

/// One request's work before the engine, as ``PreparationExecutor`` runs it: on a thread of its own that stops at the job's
/// checkpoints while other work comes first.
final class PreparationJob: CancellationToken {
    /// How long a job runs before the executor is asked whether another one comes first.
    static let slice = Duration.milliseconds(1)

    private struct Times {
        var deadline: ContinuousClock.Instant
        var sliceEnd: ContinuousClock.Instant
    }

    let id: PreparationQueue.ID
    private let executor: PreparationExecutor
    private let isCancelled = Atomic(false)
    private let isRefused = Atomic(false)
    private let times: Mutex<Times>
    /// Signalled when a paused job may go on.
    private let turn = DispatchSemaphore(value: 0)

    init(id: PreparationQueue.ID, deadline: ContinuousClock.Instant, executor: PreparationExecutor) {
        self.id = id
        self.executor = executor
        times = Mutex(Times(deadline: deadline, sliceEnd: .now))
    }

    /// Makes the job stop at its next checkpoint; where it has not started, it never does. From any thread.
    func cancel() {
        isCancelled.store(true, ordering: .relaxed)
        executor.cancelled(self)
    }

    /// Notes that there is no thread for it.
    func refuse() { isRefused.store(true, ordering: .relaxed) }

    /// Whether it never began because the system started no thread for it.
    var hasNoThread: Bool { isRefused.load(ordering: .relaxed) }

    /// Brings the deadline forward, never back.
    func limit(to deadline: ContinuousClock.Instant) {
        times.withLock { $0.deadline = min($0.deadline, deadline) }
    }

    /// Whether the deadline has passed.
    var isLate: Bool { times.withLock { $0.deadline <= .now } }

    /// Whether its result is of no use any more.
    var isOver: Bool { isCancelled.load(ordering: .relaxed) || hasNoThread || isLate }

    func shouldStop() -> Bool {
        if isCancelled.load(ordering: .relaxed) { return true }
        let now = ContinuousClock.now
        let (isLate, isSliceOver) = times.withLock { ($0.deadline <= now, $0.sliceEnd <= now) }
        if isLate { return true }
        guard isSliceOver else { return false }
        executor.yield(self)
        return isOver
    }

    func beginSlice(at now: ContinuousClock.Instant) {
        times.withLock { $0.sliceEnd = now + Self.slice }
    }

    func wait() { turn.wait() }

    func resume() { turn.signal() }
}
