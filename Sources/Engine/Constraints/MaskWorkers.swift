import Dispatch
import Foundation
import Scheduling
import Synchronization
import Text

/// Threads beside the engine thread that work out what grammars let come next, while the model runs.
///
/// States of a sequence's job:
///
///     ask --> queued <--> running --> answered --take--> gone        (ask and forget end it in any state)
///
/// A worker runs a slice of ``unitsPerSlice`` at a time, and then takes the job whose tenant, and of one tenant whose
/// sequence, has had the least work so far (least attained service): a grammar that takes long never holds up another by
/// more than one slice. The threads have a lower priority than those of the model: a mask that is late defers one sequence,
/// a model that is late defers all.
final class MaskWorkers: Sendable {
    /// Runs a slice of a computation; replaced in tests.
    typealias Runner =
        @Sendable (
            SequenceID, inout GrammarStepComputation, _ units: Int, _ isCancelled: () -> Bool
        ) -> Result<GrammarStep, GrammarLimit>?

    /// What the workers have done since the start.
    struct Totals: Sendable {
        var computations: UInt64 = 0
        var units: UInt64 = 0
        var time = Duration.zero
    }

    /// Units of work in a slice: 1 to 3 ms.
    static let unitsPerSlice = 65536
    /// How much nicer than the model's threads the workers are: they get about a tenth of a CPU that both want.
    private static let niceness: Int32 = 10

    /// One question: tells it from those that were asked of the same sequence before.
    fileprivate final class Job: Sendable {
        let id: SequenceID
        let tenant: String
        let isCancelled = Atomic(false)

        init(_ id: SequenceID, _ tenant: String) {
            self.id = id
            self.tenant = tenant
        }
    }

    fileprivate struct Entry {
        var job: Job
        var chain: GrammarChain
        var computation: GrammarStepComputation
        var isRunning = false
    }

    /// What a sequence, or a tenant, has had.
    fileprivate struct Account {
        var units = 0
        /// Of a tenant: its sequences.
        var sequences = 0
    }

    fileprivate struct State {
        var entries: [SequenceID: Entry] = [:]
        var answers: [SequenceID: GrammarChain] = [:]
        var sequences: [SequenceID: Account] = [:]
        var tenants: [String: Account] = [:]
        var totals = Totals()
        var stops = false
    }

    private let state = Mutex(State())
    /// Counts jobs that may be taken; a job that is gone leaves a count over, and a worker that finds nothing.
    private let work = DispatchSemaphore(value: 0)
    private let answered = DispatchSemaphore(value: 0)
    private let wake: @Sendable () -> Void
    private let runner: Runner

    /// - Parameter wake: called from a worker when a question has been answered as far as it can be.
    init(
        runner: @escaping Runner = { $1.run(units: $2, isCancelled: $3) }, wake: @escaping @Sendable () -> Void
    ) {
        self.runner = runner
        self.wake = wake
    }

    /// A worker for every four CPUs, at least one: most masks are known, and the model wants the rest.
    static func threadCount(cpus: Int) -> Int { min(max(cpus / 4, 1), 4) }

    /// Starts the threads, which inherit the CPUs that the caller may use. They end after ``stop()``.
    ///
    /// - Throws: when the system refuses a thread.
    func start(threads: Int) throws(SystemThread.Failure) {
        for index in 0..<threads {
            try SystemThread.start("masks \(index)", stackBytes: 8 << 20) { [self] in
                // Of this thread only: Linux keeps a priority for each thread.
                _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
                run()
            }
        }
    }

    /// Ends the threads after their slices.
    func stop() {
        let jobs = state.withLock { state in
            state.stops = true
            defer { state.entries = [:] }
            return state.entries.values.map(\.job)
        }
        for job in jobs { job.isCancelled.store(true, ordering: .relaxed) }
        work.signal()
    }

    /// Asks for what is not known of a chain; whatever was asked of the sequence before is dropped.
    func ask(_ id: SequenceID, tenant: String, _ chain: GrammarChain) {
        guard let computation = chain.computation else { return }
        let job = Job(id, tenant)
        state.withLock { state in
            state.drop(id)
            if state.sequences[id] == nil {
                state.sequences[id] = Account()
                // A new tenant starts with the least of the others, so that it owes nothing and is owed nothing.
                let least = state.tenants.values.lazy.map(\.units).min() ?? 0
                state.tenants[tenant, default: Account(units: least)].sequences += 1
            }
            guard !state.stops else { return }
            state.entries[id] = Entry(job: job, chain: chain, computation: computation)
        }
        work.signal()
    }

    /// Drops the question of a sequence that goes on.
    func cancel(_ id: SequenceID) {
        state.withLock { $0.drop(id) }
    }

    /// Drops the question of a sequence that has ended, and what it has had.
    func forget(_ id: SequenceID, tenant: String) {
        state.withLock { state in
            state.drop(id)
            guard state.sequences.removeValue(forKey: id) != nil else { return }
            state.tenants[tenant]?.sequences -= 1
            if state.tenants[tenant]?.sequences == 0 { state.tenants[tenant] = nil }
        }
    }

    /// The answers since the last call; those to questions about drafts may lack the last ones.
    func takeAnswers() -> [SequenceID: GrammarChain] {
        state.withLock { state in
            defer { state.answers = [:] }
            return state.answers
        }
    }

    /// Waits until a question has been answered; false when `deadline` has come first. Some answers wake more than once.
    func waitForAnswer(until deadline: ContinuousClock.Instant) -> Bool {
        let left = deadline - .now
        guard left > .zero else { return false }
        let nanoseconds = Int(min(left, .seconds(1)) / .nanoseconds(1))
        return answered.wait(timeout: .now() + .nanoseconds(nanoseconds)) == .success
    }

    /// Forgets answers that nobody waited for, so that the next wait is for a new one.
    func forgetAnswers() {
        while answered.wait(timeout: .now()) == .success {}
    }

    var totals: Totals { state.withLock { $0.totals } }

    private func run() {
        while true {
            work.wait()
            guard !state.withLock({ $0.stops }) else {
                // For the next thread.
                work.signal()
                return
            }
            guard let entry = state.withLock({ $0.takeNext() }) else { continue }
            runSlice(of: entry)
        }
    }

    private func runSlice(of entry: Entry) {
        let job = entry.job
        var computation = entry.computation
        let before = computation.spentUnits
        let begin = ContinuousClock.now
        let result = runner(job.id, &computation, Self.unitsPerSlice) { job.isCancelled.load(ordering: .relaxed) }
        let time = ContinuousClock.now - begin
        var chain = entry.chain
        // Looks at what is known, so outside the lock.
        if let result { chain.resolve(result) }
        // At least one, so that one that does nothing is not always first.
        let spent = max(computation.spentUnits - before, 1)
        let (isAnswered, goesOn) = state.withLock { state in
            state.totals.units += UInt64(spent)
            state.totals.time += time
            if result != nil { state.totals.computations += 1 }
            state.sequences[job.id]?.units += spent
            state.tenants[job.tenant]?.units += spent
            guard var current = state.entries[job.id], current.job === job else { return (false, false) }
            current.isRunning = false
            if result != nil { current.chain = chain }
            if let following = result == nil ? computation : chain.computation {
                current.computation = following
                state.entries[job.id] = current
            } else {
                state.entries[job.id] = nil
            }
            if result != nil { state.answers[job.id] = chain }
            return (result != nil, state.entries[job.id] != nil)
        }
        if goesOn { work.signal() }
        if isAnswered {
            answered.signal()
            wake()
        }
    }
}

extension MaskWorkers.State {
    /// Drops what is asked and answered of a sequence.
    fileprivate mutating func drop(_ id: SequenceID) {
        entries.removeValue(forKey: id)?.job.isCancelled.store(true, ordering: .relaxed)
        answers[id] = nil
    }

    /// The job that has had the least. O(jobs), which are at most the running sequences.
    fileprivate mutating func takeNext() -> MaskWorkers.Entry? {
        let next = entries.values.lazy.filter { !$0.isRunning }.min { service($0.job) < service($1.job) }
        guard let next else { return nil }
        entries[next.job.id]?.isRunning = true
        return next
    }

    private func service(_ job: MaskWorkers.Job) -> (Int, Int, SequenceID) {
        (tenants[job.tenant]?.units ?? 0, sequences[job.id]?.units ?? 0, job.id)
    }
}
