import Dispatch
import Foundation
import Grammars
import Scheduling
import Synchronization

/// Threads that compute the token masks of grammars while the engine thread runs the model.
///
/// States of a sequence's job:
///
///     ask --> queued <--> running --> answered --take--> gone        (ask and forget end it in any state)
///
/// A worker runs a slice of ``MaskQueue/unitsPerSlice`` units and then takes the job that ``MaskQueue`` puts first, so an expensive
/// grammar delays another one only briefly. The threads have a lower priority than those of the model, because a late mask defers
/// one sequence, while a slow model delays all sequences.
final class MaskWorkers: Sendable {
    /// A function that runs a slice of a computation. Tests replace it.
    typealias Runner =
        @Sendable (
            SequenceID, inout GrammarStepComputation, _ units: Int, _ isCancelled: () -> Bool
        ) -> Result<GrammarStep, GrammarLimit>?

    /// The totals of all workers since the start.
    struct Totals: Sendable {
        var computations: UInt64 = 0
        var units: UInt64 = 0
        var time = Duration.zero
    }

    /// The nice value relative to the model's threads. The workers get about a tenth of a CPU that both use.
    private static let niceness: Int32 = 10

    /// An open request.
    fileprivate struct Entry {
        let id: SequenceID
        let tenant: String
        let isCancelled = CancellationFlag()
        var chain: GrammarChain
        var computation: GrammarStepComputation
    }

    fileprivate final class CancellationFlag: Sendable {
        let isSet = Atomic(false)
    }

    fileprivate struct State {
        var queue = MaskQueue()
        var entries: [MaskQueue.ID: Entry] = [:]
        /// The open request of each sequence.
        var questions: [SequenceID: MaskQueue.ID] = [:]
        var answers: [SequenceID: GrammarChain] = [:]
        var totals = Totals()
        var stops = false
    }

    private let state = Mutex(State())
    /// Counts the jobs that can be taken. Removing a job does not decrement it, so a worker may find no job.
    private let work = DispatchSemaphore(value: 0)
    private let answered = DispatchSemaphore(value: 0)
    private let wake: @Sendable () -> Void
    private let runner: Runner

    /// - Parameter wake: A function that a worker calls when a request has been answered as far as possible.
    init(
        runner: @escaping Runner = { $1.run(units: $2, isCancelled: $3) }, wake: @escaping @Sendable () -> Void
    ) {
        self.runner = runner
        self.wake = wake
    }

    /// Returns the number of workers: one for every four CPUs, at least one and at most four. Most masks are already known, and the
    /// model needs the other CPUs.
    static func threadCount(cpus: Int) -> Int { min(max(cpus / 4, 1), 4) }

    /// Starts the threads, which inherit the caller's CPU affinity. They end after ``stop()``.
    ///
    /// - Throws: `SystemThread.Failure` if the system refuses to create a thread.
    func start(threads: Int) throws(SystemThread.Failure) {
        for index in 0..<threads {
            try SystemThread.start("masks \(index)", stackBytes: 8 << 20) { [self] in
                SystemThread.lowerPriority(by: Self.niceness)
                run()
            }
        }
    }

    /// Ends the threads after their current slices.
    func stop() {
        state.withLock { state in
            state.stops = true
            for id in Array(state.questions.keys) { state.drop(id) }
        }
        work.signal()
    }

    /// Requests the unknown steps of a chain. An earlier request of the sequence is dropped.
    func ask(_ id: SequenceID, tenant: String, _ chain: GrammarChain) {
        guard let computation = chain.computation else { return }
        state.withLock { state in
            state.drop(id)
            guard !state.stops else { return }
            let question = state.queue.add(tenant: tenant)
            state.questions[id] = question
            state.entries[question] = Entry(id: id, tenant: tenant, chain: chain, computation: computation)
        }
        work.signal()
    }

    /// Drops the request of a sequence and its answer.
    func drop(_ id: SequenceID) {
        state.withLock { $0.drop(id) }
    }

    /// Returns the answers since the last call. Answers about draft tokens may be incomplete at the end.
    func takeAnswers() -> [SequenceID: GrammarChain] {
        state.withLock { state in
            defer { state.answers = [:] }
            return state.answers
        }
    }

    /// Waits until a request has been answered, and returns false if `deadline` passes first. One answer may end the wait more than
    /// once.
    func waitForAnswer(until deadline: ContinuousClock.Instant) -> Bool {
        let left = deadline - .now
        guard left > .zero else { return false }
        let nanoseconds = Int(min(left, .seconds(1)) / .nanoseconds(1))
        return answered.wait(timeout: .now() + .nanoseconds(nanoseconds)) == .success
    }

    /// Discards the signals of answers that nobody waited for, so that the next wait is for a new answer.
    func forgetAnswers() {
        while answered.wait(timeout: .now()) == .success {}
    }

    var totals: Totals { state.withLock { $0.totals } }

    private func run() {
        while true {
            work.wait()
            guard !state.withLock({ $0.stops }) else {
                // Wakes the next thread.
                work.signal()
                return
            }
            let next = state.withLock { state in
                state.queue.next().flatMap { id in state.entries[id].map { (id, $0) } }
            }
            guard let (question, entry) = next else { continue }
            runSlice(of: question, entry)
        }
    }

    private func runSlice(of question: MaskQueue.ID, _ entry: Entry) {
        var computation = entry.computation
        let before = computation.spentUnits
        let begin = ContinuousClock.now
        let result = runner(entry.id, &computation, MaskQueue.unitsPerSlice) {
            entry.isCancelled.isSet.load(ordering: .relaxed)
        }
        let time = ContinuousClock.now - begin
        var chain = entry.chain
        // This also looks up known steps in the grammar, so it must run outside the lock.
        if let result { chain.resolve(result) }
        let spent = computation.spentUnits - before
        let (isAnswered, goesOn) = state.withLock { state in
            state.totals.units += UInt64(spent)
            state.totals.time += time
            if result != nil { state.totals.computations += 1 }
            state.queue.ran(question, tenant: entry.tenant, units: spent)
            guard state.entries[question] != nil else { return (false, false) }
            let following = result == nil ? computation : chain.computation
            if let following {
                state.entries[question]?.chain = chain
                state.entries[question]?.computation = following
            } else {
                state.drop(entry.id)
            }
            if result != nil { state.answers[entry.id] = chain }
            return (result != nil, following != nil)
        }
        if goesOn { work.signal() }
        if isAnswered {
            answered.signal()
            wake()
        }
    }
}

extension MaskWorkers.State {
    /// Drops the request and the answer of a sequence.
    fileprivate mutating func drop(_ id: SequenceID) {
        answers[id] = nil
        guard let question = questions.removeValue(forKey: id) else { return }
        queue.remove(question)
        entries.removeValue(forKey: question)?.isCancelled.isSet.store(true, ordering: .relaxed)
    }
}
