import Basics
import DequeModule
import Engine
import Foundation
import Synchronization

/// Runs the work of requests off the event loop: parsing JSON, rendering templates, tokenizing, compiling grammars.
///
/// As many jobs run at once as there are CPUs, in the order of ``PreparationQueue``. Each has a thread, which blocks at a
/// checkpoint of the job while another job comes first. A small prompt therefore never waits for the end of a large one, only
/// for a checkpoint, about a millisecond. The threads have a lower priority than the engine's, whose steps wait for the slowest
/// worker.
///
/// If the system refuses to create a thread for a job, the job ends at once without a result.
///
/// The callers limit the number of jobs, with the permits of ``AdmissionController``.
final class PreparationExecutor: Sendable {
    /// The difference of the nice values to the other threads. With 10, a busy thread gets a tenth of the time of an engine thread
    /// on the same CPU.
    static let niceness: Int32 = 10
    /// The number of idle threads to keep, in addition to one for each running job.
    private static let spareThreads = 2

    private struct Entry {
        var job: PreparationJob
        var work: @Sendable () -> Void
    }

    private struct State {
        var queue: PreparationQueue
        var entries: [PreparationQueue.ID: Entry] = [:]
        /// Jobs that are assigned to threads that will start them.
        var assigned: Deque<Entry> = []
        var idleThreads = 0
    }

    private let state: Mutex<State>
    /// Signalled once for each entry of `assigned`.
    private let assignment = DispatchSemaphore(value: 0)
    private let concurrency: Int
    private let starter: SystemThread.Starter

    /// - Parameters:
    ///   - concurrency: the maximum number of running jobs.
    ///   - starter: creates its threads.
    init(
        concurrency: Int = ProcessInfo.processInfo.activeProcessorCount,
        starter: @escaping SystemThread.Starter = SystemThread.start
    ) {
        self.starter = starter
        self.concurrency = max(1, concurrency)
        state = Mutex(State(queue: PreparationQueue(concurrency: concurrency)))
    }

    /// Creates the threads that are needed as long as no job is paused, so that a limit on threads is detected when the server
    /// starts. Otherwise they are created with the first jobs.
    ///
    /// - Throws: if the system refuses to create a thread.
    func start() throws(SystemThread.Failure) {
        for _ in 0..<concurrency {
            try startThread()
            state.withLock { $0.idleThreads += 1 }
        }
    }

    /// Runs `work` on a thread, with the job as `Cancellation.token`. Then calls `completion` with its result, also on that
    /// thread. The result is `nil` if the job was cancelled, late or without a thread, because it may be incomplete. A job that is
    /// cancelled before it begins completes on the cancelling thread. A job without a thread completes on any thread, possibly
    /// before this returns.
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

    /// The number of unfinished jobs.
    var jobs: Int { state.withLock(\.queue.count) }

    /// Called by a running job at the end of its slice; returns when it is the job's turn again.
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

    /// Called by a thread at the end of its job; returns whether the thread is kept for another one.
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

    /// Starts or resumes the next jobs, up to the concurrency.
    private func fillCPUs() {
        var missing = fillCPUsAsFarAsThreadsGo()
        while missing > 0 {
            do throws(SystemThread.Failure) {
                try startThread()
                missing -= 1
            } catch {
                refuseLast()
                missing += fillCPUsAsFarAsThreadsGo() - 1
            }
        }
    }

    /// Ends the last job that was assigned and has not begun, because there is no thread for it.
    private func refuseLast() {
        // Even if a thread takes the job or another one after all, the number of signals equals the number of entries.
        guard assignment.wait(timeout: .now()) == .success else { return }
        let entry = state.withLock { state in
            let entry = state.assigned.popLast()
            if let entry {
                state.entries[entry.job.id] = nil
                state.queue.end(entry.job.id, now: .now)
            }
            return entry
        }
        entry?.job.refuse()
        entry?.work()
    }

    /// Assigns and resumes jobs; returns the number of missing threads.
    private func fillCPUsAsFarAsThreadsGo() -> Int {
        state.withLock { state in
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
    }

    /// Starts a thread that runs assigned jobs, and ends if enough others are idle.
    private func startThread() throws(SystemThread.Failure) {
        // Templates and JSON recurse up to their own limits.
        try starter("preparation", 8 << 20) { [self] in
            SystemThread.lowerPriority(by: Self.niceness)
            while true {
                assignment.wait()
                guard let entry = state.withLock({ $0.assigned.popFirst() }) else { continue }
                entry.job.beginSlice(at: .now)
                entry.work()
                guard ended(entry.job) else { return }
            }
        }
    }
}
