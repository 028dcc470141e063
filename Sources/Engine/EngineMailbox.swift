import Dispatch
import Scheduling
import Synchronization

/// The way in: what the server wants of the engine thread since the thread last looked.
///
/// Bounded: submissions by `capacity`, aborts because an id is held once and ids come from submissions.
final class EngineMailbox: Sendable {
    struct Content {
        var submitted: [GenerationRequest] = []
        var aborted: Set<SequenceID> = []
        var stops = false
        /// Whether there is news of masks.
        var hasAnswers = false

        /// Whether nobody wants anything.
        var isEmpty: Bool { submitted.isEmpty && aborted.isEmpty && !stops }
    }

    private let content = Mutex(Content())
    /// Signalled when the mailbox turns from empty to not empty.
    private let arrival = DispatchSemaphore(value: 0)
    private let capacity: Int

    /// - Parameter capacity: submitted sequences that may lie here.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Returns false, and takes nothing, when the submissions would exceed the capacity or the engine is stopping.
    func submit(_ requests: [GenerationRequest]) -> Bool {
        put { content in
            guard !content.stops, content.submitted.count + requests.count <= capacity else { return false }
            content.submitted += requests
            return true
        }
    }

    func abort(_ ids: [SequenceID]) {
        _ = put { content in
            content.aborted.formUnion(ids)
            return true
        }
    }

    /// Closes the mailbox: it takes no submission any more.
    func stop() {
        _ = put { content in
            content.stops = true
            return true
        }
    }

    /// Wakes the engine for what the mask workers have found.
    func announceAnswers() {
        _ = put { content in
            content.hasAnswers = true
            return true
        }
    }

    /// Empties the mailbox; where it is empty and `waits` is true, sleeps until something arrives.
    ///
    /// - Parameter deadline: when it returns in any case; `nil`: never.
    func take(waits: Bool, until deadline: ContinuousClock.Instant? = nil) -> Content {
        while true {
            let taken = content.withLock { content in
                let taken = content
                // Closed for good: what came in after the last look would never be answered.
                content = Content(stops: taken.stops)
                return taken
            }
            // A signal left over from an earlier arrival only makes this loop turn once more.
            guard taken.isEmpty, !taken.hasAnswers, waits else { return taken }
            guard let deadline else {
                arrival.wait()
                continue
            }
            let left = deadline - .now
            guard left > .zero else { return taken }
            // A minute at most: this clock goes on while the machine sleeps, the semaphore's does not.
            let nanoseconds = Int(min(left, .seconds(60)) / .nanoseconds(1))
            _ = arrival.wait(timeout: .now() + .nanoseconds(nanoseconds))
        }
    }

    private func put(_ change: (inout Content) -> Bool) -> Bool {
        let (accepted, wakes) = content.withLock { content in
            let wasEmpty = content.isEmpty && !content.hasAnswers
            let accepted = change(&content)
            return (accepted, wasEmpty && !(content.isEmpty && !content.hasAnswers))
        }
        if wakes { arrival.signal() }
        return accepted
    }
}
