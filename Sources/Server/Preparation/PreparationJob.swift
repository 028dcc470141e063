import Basics
import Dispatch
import Synchronization

/// One job of ``PreparationExecutor``: the work of a request before the engine. It runs on its own thread, which pauses at the
/// job's checkpoints while other work comes first.
final class PreparationJob: CancellationToken {
    /// The time that a job runs before it asks the executor whether another one comes first.
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
    /// Signalled when a paused job may continue.
    private let turn = DispatchSemaphore(value: 0)

    init(id: PreparationQueue.ID, deadline: ContinuousClock.Instant, executor: PreparationExecutor) {
        self.id = id
        self.executor = executor
        times = Mutex(Times(deadline: deadline, sliceEnd: .now))
    }

    /// Stops the job at its next checkpoint; if it has not started, it never does. May be called on any thread.
    func cancel() {
        isCancelled.store(true, ordering: .relaxed)
        executor.cancelled(self)
    }

    /// Records that there is no thread for it.
    func refuse() { isRefused.store(true, ordering: .relaxed) }

    /// Whether it never began because the system refused to create a thread for it.
    var hasNoThread: Bool { isRefused.load(ordering: .relaxed) }

    /// Sets an earlier deadline; a later one has no effect.
    func limit(to deadline: ContinuousClock.Instant) {
        times.withLock { $0.deadline = min($0.deadline, deadline) }
    }

    /// Whether the deadline has passed.
    var isLate: Bool { times.withLock { $0.deadline <= .now } }

    /// Whether its result is no longer needed.
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
