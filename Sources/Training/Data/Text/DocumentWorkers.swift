import Engine
import Foundation
import Synchronization

/// Threads that tokenize documents ahead of use, within the limits ``capacity`` and ``mostTokens``.
///
/// A document is queued, then running, then done, then taken. If no thread has begun a document when it is needed, the caller
/// tokenizes it. Therefore the documents do not depend on the threads or their number.
final class DocumentWorkers: Sendable {
    /// The key of a document. Each document is read by one stream only.
    struct Key: Hashable, Sendable {
        var source: Int
        /// The index of the document in the source.
        var document: Int
    }

    /// Tokenizes a document.
    typealias Job = @Sendable () -> Result<Document, TrainingError>

    private struct State {
        var queue: [Key] = []
        /// The jobs of queued documents.
        var jobs: [Key: Job] = [:]
        var running: Set<Key> = []
        var done: [Key: Result<Document, TrainingError>] = [:]
        /// The number of tokens in the documents that are done.
        var tokens = 0
        var stops = false

        var count: Int { jobs.count + running.count + done.count }

        func has(_ key: Key) -> Bool { jobs[key] != nil || running.contains(key) || done[key] != nil }
    }

    /// The maximum number of documents that are queued, running or done.
    let capacity: Int
    /// No document is queued while the documents that are done have more tokens than this.
    let mostTokens: Int
    private let state = Mutex(State())
    /// Signaled after each change of the state.
    private let changed = NSCondition()

    /// The difference of the nice values to the training threads.
    private static let niceness: Int32 = 5

    init(capacity: Int, mostTokens: Int = 1 << 24) {
        (self.capacity, self.mostTokens) = (capacity, mostTokens)
    }

    /// Returns one thread per four CPUs, at least one and at most four.
    static func threadCount(cpus: Int) -> Int { min(max(cpus / 4, 1), 4) }

    /// Starts threads, which run until ``stop()``. If a thread cannot be started, documents are tokenized when they are needed.
    func start(threads: Int) {
        for index in 0..<threads {
            try? SystemThread.start("tokenizer \(index)", stackBytes: 8 << 20) { [self] in
                SystemThread.lowerPriority(by: Self.niceness)
                work()
            }
        }
    }

    /// Stops the threads after their current documents.
    func stop() {
        state.withLock { $0.stops = true }
        signal()
    }

    /// The number of tokens in the documents that are done but not taken.
    var doneTokens: Int { state.withLock(\.tokens) }

    /// Queues a document, unless it is queued, running or done. Returns false if there is no room.
    func prepare(_ key: Key, _ job: @escaping Job) -> Bool {
        enum Outcome { case known, queued, full }
        let outcome: Outcome = state.withLock { state in
            guard !state.has(key) else { return .known }
            guard state.count < capacity, state.tokens <= mostTokens else { return .full }
            state.queue.append(key)
            state.jobs[key] = job
            return .queued
        }
        if outcome == .queued { signal() }
        return outcome != .full
    }

    /// Removes a document and returns it.
    ///
    /// - Parameter job: computes the document if it was not queued.
    func take(_ key: Key, _ job: Job) -> Result<Document, TrainingError> {
        enum Step {
            case done(Result<Document, TrainingError>)
            case compute
            case wait
        }
        changed.lock()
        while true {
            let step: Step = state.withLock { state in
                if let result = state.done.removeValue(forKey: key) {
                    state.tokens -= Self.tokens(result)
                    return .done(result)
                }
                if state.running.contains(key) { return .wait }
                if state.jobs.removeValue(forKey: key) != nil { state.queue.removeAll { $0 == key } }
                return .compute
            }
            switch step {
            case .done(let result):
                changed.unlock()
                return result
            case .compute:
                changed.unlock()
                return job()
            case .wait: changed.wait()
            }
        }
    }

    private func work() {
        while true {
            changed.lock()
            var next: (key: Key, job: Job)?
            while true {
                let stops = state.withLock { state in
                    guard !state.stops, let key = state.queue.first else { return state.stops }
                    state.queue.removeFirst()
                    if let job = state.jobs.removeValue(forKey: key) {
                        state.running.insert(key)
                        next = (key, job)
                    }
                    return false
                }
                if next != nil || stops { break }
                changed.wait()
            }
            changed.unlock()
            guard let next else { return }
            let result = next.job()
            state.withLock { state in
                state.running.remove(next.key)
                state.done[next.key] = result
                state.tokens += Self.tokens(result)
            }
            signal()
        }
    }

    private static func tokens(_ result: Result<Document, TrainingError>) -> Int {
        if case .success(let document) = result { document.count } else { 0 }
    }

    private func signal() {
        changed.lock()
        changed.broadcast()
        changed.unlock()
    }
}
