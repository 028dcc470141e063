import DequeModule
import Foundation
import Synchronization
import Text

/// Runs the work that requests need off the event loop: reading JSON, rendering templates, tokenizing, compiling grammars.
///
/// - As many jobs run at once as there are CPUs. Each has a thread, which blocks at a checkpoint of the job while another job
///   comes first, so a small prompt never waits for the end of a large one: only for a checkpoint, about a millisecond.
/// - First comes the tenant that was served least. A tenant without jobs collects no claim for later. Of one tenant's jobs
///   the one that has run for the shortest time comes first (least attained service), so the jobs of one connection do not
///   hold up those of another.
/// - Threads run at a lower priority than the engine's: its steps wait for the slowest worker.
///
/// Jobs are bounded by whoever submits them: by the permits of ``AdmissionController``.
final class PreparationExecutor: Sendable {
    /// The nice value of the threads. At 5 a busy thread gets a third of the time of an engine thread that wants the same CPU.
    static let niceness: Int32 = 5
    /// Threads that are kept when there is nothing to do, beyond one for each job that runs.
    private static let spareThreads = 2

    private struct Entry {
        var job: PreparationJob
        var work: @Sendable () -> Void
        /// Time on a CPU, as far as wall clocks tell.
        var attained = Duration.zero
        var sliceStart = ContinuousClock.now
        var phase = Phase.waiting
    }

    private enum Phase {
        /// Has no thread yet.
        case waiting
        case running
        /// Has a thread that waits for its turn.
        case paused
    }

    private struct Tenant {
        var served = Duration.zero
        var jobs = 0
    }

    private struct State {
        var entries: [PreparationJob.ID: Entry] = [:]
        var tenants: [String: Tenant] = [:]
        /// The least that a tenant with jobs was served; never falls.
        var floor = Duration.zero
        var running = 0
        var lastNumber: UInt64 = 0
        /// Jobs that threads shall start.
        var assigned: Deque<Entry> = []
        var idleThreads = 0
    }

    private let state = Mutex(State())
    /// Signalled once for each entry of `assigned`.
    private let assignment = DispatchSemaphore(value: 0)
    private let concurrency: Int

    /// - Parameter concurrency: jobs that run at once.
    init(concurrency: Int = ProcessInfo.processInfo.activeProcessorCount) {
        self.concurrency = max(1, concurrency)
    }

    /// Runs `work` on a thread, with the job as `Cancellation.token`; then `completion` with its result, also on that thread.
    /// A job that is cancelled before it starts completes with `nil`, on the cancelling thread.
    func submit<Result: Sendable>(
        tenant: String, deadline: ContinuousClock.Instant, _ work: @escaping @Sendable (PreparationJob) -> Result,
        completion: @escaping @Sendable (Result?) -> Void
    ) -> PreparationJob {
        let job = state.withLock { state in
            state.lastNumber += 1
            let job = PreparationJob(
                number: state.lastNumber, tenant: tenant, deadline: deadline, executor: self)
            state.entries[job.id] = Entry(job: job) {
                // What a job that was stopped has made is not complete.
                let result = job.isOver ? nil : Cancellation.$token.withValue(job) { work(job) }
                completion(job.isOver ? nil : result)
            }
            var entry = state.tenants[tenant] ?? Tenant(served: state.floor)
            if entry.jobs == 0 { entry.served = max(entry.served, state.floor) }
            entry.jobs += 1
            state.tenants[tenant] = entry
            return job
        }
        fillCPUs()
        return job
    }

    /// Jobs that have not ended.
    var jobs: Int { state.withLock { $0.entries.count } }

    // MARK: Turns

    /// Called by a running job whose slice is over: returns when it is its turn again.
    func yield(_ job: PreparationJob, at now: ContinuousClock.Instant) {
        let next: PreparationJob.ID? = state.withLock { state in
            Self.charge(job.id, now, in: &state)
            guard let best = Self.best(in: state), Self.precedes(best, job.id, in: state) else { return nil }
            state.entries[job.id]?.phase = .paused
            state.running -= 1
            return best
        }
        guard next != nil else { return job.beginSlice(at: now) }
        fillCPUs()
        job.wait()
        job.beginSlice(at: .now)
    }

    /// A cancelled job that waits for a thread ends here; one that is paused goes on at once, only to stop.
    func cancelled(_ job: PreparationJob) {
        let work: (@Sendable () -> Void)? = state.withLock { state in
            guard let entry = state.entries[job.id] else { return nil }
            switch entry.phase {
            case .running: return nil
            case .paused:
                state.entries[job.id]?.phase = .running
                state.entries[job.id]?.sliceStart = .now
                state.running += 1
                job.resume()
                return nil
            case .waiting:
                Self.remove(job.id, from: &state)
                return entry.work
            }
        }
        work?()
    }

    /// A thread has ended its job; returns whether it is kept for another one.
    private func ended(_ job: PreparationJob.ID) -> Bool {
        let isKept = state.withLock { state in
            Self.charge(job, .now, in: &state)
            Self.remove(job, from: &state)
            state.running -= 1
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
            while state.running < concurrency, let id = Self.best(in: state), let entry = state.entries[id] {
                state.running += 1
                state.entries[id]?.phase = .running
                state.entries[id]?.sliceStart = .now
                if entry.phase == .paused {
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
                guard ended(entry.job.id) else { return }
            }
        }
        thread.name = "preparation"
        // Templates and JSON recurse up to their own bounds.
        thread.stackSize = 8 << 20
        thread.start()
    }

    // MARK: Order

    private static func charge(_ id: PreparationJob.ID, _ now: ContinuousClock.Instant, in state: inout State) {
        guard var entry = state.entries[id] else { return }
        let time = now - entry.sliceStart
        entry.attained += time
        entry.sliceStart = now
        state.entries[id] = entry
        state.tenants[entry.job.tenant]?.served += time
    }

    private static func remove(_ id: PreparationJob.ID, from state: inout State) {
        guard let entry = state.entries.removeValue(forKey: id) else { return }
        let least = state.tenants.values.lazy.filter { $0.jobs > 0 }.map(\.served).min()
        state.floor = max(state.floor, least ?? .zero)
        state.tenants[entry.job.tenant]?.jobs -= 1
        state.tenants = state.tenants.filter { $0.value.jobs > 0 || $0.value.served > state.floor }
    }

    /// The first of those that do not run. O(jobs).
    private static func best(in state: State) -> PreparationJob.ID? {
        var best: PreparationJob.ID?
        for (id, entry) in state.entries where entry.phase != .running {
            if best.map({ precedes(id, $0, in: state) }) ?? true { best = id }
        }
        return best
    }

    private static func precedes(_ left: PreparationJob.ID, _ right: PreparationJob.ID, in state: State) -> Bool {
        guard let first = state.entries[left], let second = state.entries[right] else { return false }
        let served = (state.tenants[first.job.tenant]?.served, state.tenants[second.job.tenant]?.served)
        if first.job.tenant != second.job.tenant, let one = served.0, let other = served.1, one != other {
            return one < other
        }
        return first.attained == second.attained ? left < right : first.attained < second.attained
    }
}
