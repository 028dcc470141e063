import DequeModule
import Foundation
import Synchronization
import Text

/// Runs the work that requests need off the event loop: reading JSON, rendering templates, tokenizing, compiling grammars.
///
/// As many jobs run at once as there are CPUs, in the order of ``PreparationQueue``. Each has a thread, which blocks at a
/// checkpoint of the job while another job comes first, so a small prompt never waits for the end of a large one: only for a
/// checkpoint, about a millisecond. Threads run at a lower priority than the engine's, whose steps wait for the slowest
/// worker.
///
/// Jobs are bounded by whoever submits them: by the permits of ``AdmissionController``.
final class PreparationExecutor: Sendable {
    /// The nice value of the threads. At 10 a busy thread gets a tenth of the time of an engine thread that wants the same CPU.
    static let niceness: Int32 = 10
    /// Threads that are kept when there is nothing to do, beyond one for each job that runs.
    private static let spareThreads = 2

    private struct Entry {
        var job: PreparationJob
        var work: @Sendable () -> Void
    }

    private struct State {
        var queue: PreparationQueue
        var entries: [PreparationQueue.ID: Entry] = [:]
        /// Jobs that threads shall start.
        var assigned: Deque<Entry> = []
        var idleThreads = 0
    }

    private let state: Mutex<State>
    /// Signalled once for each entry of `assigned`.
    private let assignment = DispatchSemaphore(value: 0)
    private let concurrency: Int

    /// - Parameter concurrency: jobs that run at once.
    init(concurrency: Int = ProcessInfo.processInfo.activeProcessorCount) {
        self.concurrency = max(1, concurrency)
        state = Mutex(State(queue: PreparationQueue(concurrency: concurrency)))
    }

    /// Runs `work` on a thread, with the job as `Cancellation.token`; then `completion` with its result, also on that thread.
    /// `nil`: the job was cancelled or late, so that its result is not complete. A job that is cancelled before it begins
    /// completes on the cancelling thread.
    func submit<Result: Sendable>(
        tenant: String, deadline: ContinuousClock.Instant, _ work: @escaping @Sendable (PreparationJob) -> Result,
        completion: @escaping @Sendable (Result?) -> Void
    ) -> PreparationJob {
        let job = state.withLock { state in
            let job = PreparationJob(id: state.queue.add(tenant: tenant), deadline: deadline, executor: self)
            state.entries[job.id] = Entry(job: job) {
                let result = job.isOver ? nil : Cancellation.$token.withValue(job) { work(job) }
                completion(job.isOver ? nil : result)
            }
            return job
        }
        fillCPUs()
        return job
    }

    /// Jobs that have not ended.
    var jobs: Int { state.withLock(\.queue.count) }

    /// Called by a running job whose slice is over: returns when it is its turn again.
    func yield(_ job: PreparationJob) {
        if state.withLock({ $0.queue.yield(job.id, now: .now) }) {
            fillCPUs()
            job.wait()
        }
        job.beginSlice(at: .now)
    }

    func cancelled(_ job: PreparationJob) {
        let work: (@Sendable () -> Void)? = state.withLock { state in
            switch state.queue.cancel(job.id, now: .now) {
            case .waiting: return state.entries.removeValue(forKey: job.id)?.work
            case .paused: job.resume()
            case .running, nil: break
            }
            return nil
        }
        work?()
    }

    /// A thread has ended its job; returns whether it is kept for another one.
    private func ended(_ job: PreparationJob) -> Bool {
        let isKept = state.withLock { state in
            state.entries[job.id] = nil
            state.queue.end(job.id, now: .now)
            guard state.idleThreads < concurrency + Self.spareThreads else { return false }
            state.idleThreads += 1
            return true
        }
        fillCPUs()
        return isKept
    }

    /// Starts or resumes the jobs that come first, as long as fewer run than may.
    private func fillCPUs() {
        let threads = state.withLock { state in
            var threads = 0
            while let (id, hasBegun) = state.queue.next(now: .now), let entry = state.entries[id] {
                if hasBegun {
                    entry.job.resume()
                } else {
                    state.assigned.append(entry)
                    if state.idleThreads > 0 { state.idleThreads -= 1 } else { threads += 1 }
                    assignment.signal()
                }
            }
            return threads
        }
        for _ in 0..<threads { startThread() }
    }

    /// A thread takes jobs that are assigned, and ends when enough others wait.
    private func startThread() {
        let thread = Thread { [self] in
            // Cannot fail for a lower priority; 0 names the calling thread.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
            while true {
                assignment.wait()
                guard let entry = state.withLock({ $0.assigned.popFirst() }) else { continue }
                entry.job.beginSlice(at: .now)
                entry.work()
                guard ended(entry.job) else { return }
            }
        }
        thread.name = "preparation"
        // Templates and JSON recurse up to their own bounds.
        thread.stackSize = 8 << 20
        thread.start()
    }
}
