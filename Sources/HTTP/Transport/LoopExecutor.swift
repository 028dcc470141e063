import Dispatch
import Synchronization

/// The thread of an event loop and the executor of its actor. It waits in the kernel for sockets, timers and work from other
/// threads.
///
/// The thread is a block on a serial dispatch queue that runs until `stop`. The kernel wakes it directly, so a request is read,
/// answered and written without a thread switch; a dispatch source would need two.
final class LoopExecutor: SerialExecutor {
    private enum Work {
        case job(UnownedJob)
        case call(@Sendable () -> Void)
    }

    private struct State {
        /// The work to run, in order.
        var work: [Work] = []
        /// Whether the thread waits in the kernel, or is about to, and was not woken.
        var isWaiting = false
        var isStopped = false
    }

    /// What the thread does between two rounds.
    struct Pause {
        /// The latest time of the next round; nil if only an event or work begins one.
        var deadline: ContinuousClock.Instant?
        /// The time for which the thread polls for events before it blocks.
        var polling = Duration.zero
    }

    /// Processes the events of a round. Returns the pause before the next one.
    typealias Round = @Sendable ([SocketSet.Event]) -> Pause

    let sockets: SocketSet
    private let queue: DispatchQueue
    private let state = Mutex(State())
    private let waitCount = Atomic<Int>(0)
    private let pollCount = Atomic<Int>(0)

    /// - Throws: An error if the kernel has no free descriptor.
    init(label: String) throws(TransportError) {
        sockets = try SocketSet()
        queue = DispatchQueue(label: label)
    }

    /// Starts the thread. Call once.
    func start(_ round: @escaping Round) {
        queue.async { self.run(round) }
    }

    /// Ends the thread after the pending work.
    func stop() {
        wake { $0.isStopped = true }
    }

    /// Runs `work` on the thread; may be called on any thread.
    func post(_ work: @escaping @Sendable () -> Void) {
        wake { $0.work.append(.call(work)) }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        wake { $0.work.append(.job(job)) }
    }

    /// Called by `assumeIsolated`.
    func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }

    /// The number of waits for events so far.
    var waits: Int { waitCount.load(ordering: .relaxed) }
    /// The number of those waits that began with polling.
    var polls: Int { pollCount.load(ordering: .relaxed) }

    /// Changes the state, and wakes the thread if it waits.
    private func wake(_ change: (inout sending State) -> Void) {
        let wakes = state.withLock { state in
            change(&state)
            defer { state.isWaiting = false }
            return state.isWaiting
        }
        if wakes { sockets.wake() }
    }

    private func run(_ round: Round) {
        var pause = Pause()
        while true {
            let (work, isStopped) = state.withLock { state in
                state.isWaiting = state.work.isEmpty && !state.isStopped
                defer { state.work = [] }
                return (state.work, state.isStopped)
            }
            if work.isEmpty, isStopped { return }
            for item in work {
                switch item {
                case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
                case .call(let call): call()
                }
            }
            // Work that was added meanwhile runs in the next round, after sockets and timers.
            if !work.isEmpty { pause = Pause(deadline: .now) }
            let events = sockets.wait(until: pause.deadline, polling: pause.polling)
            waitCount.add(1, ordering: .relaxed)
            if pause.polling > .zero { pollCount.add(1, ordering: .relaxed) }
            // Work that this thread adds from here on needs no wake-up.
            if work.isEmpty { state.withLock { $0.isWaiting = false } }
            pause = round(events)
        }
    }
}
