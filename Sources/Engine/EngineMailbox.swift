import Dispatch
import Scheduling
import Synchronization

/// The commands from the server that the engine thread has not yet taken.
///
/// The size is bounded: submissions by `capacity`, and aborts because their ids are distinct and come from submissions.
final class EngineMailbox: Sendable {
    struct Content {
        var submitted: [GenerationRequest] = []
        var aborted: Set<SequenceID> = []
        var stops = false
        /// Whether there is news outside of the mailbox.
        var isWoken = false

        /// Whether there are no commands.
        var isEmpty: Bool { submitted.isEmpty && aborted.isEmpty && !stops }
    }

    private let content = Mutex(Content())
    /// Signaled when the mailbox changes from empty to not empty.
    private let arrival = DispatchSemaphore(value: 0)
    private let capacity: Int

    /// - Parameter capacity: The maximum number of submitted sequences in the mailbox.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Submits requests. Returns false, and accepts none, if they would exceed the capacity or the engine is stopping.
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

    /// Closes the mailbox, which then accepts no more submissions.
    func stop() {
        _ = put { content in
            content.stops = true
            return true
        }
    }

    /// Wakes the engine without a command, because the mask workers have answers or a rank is lost.
    func wake() {
        _ = put { content in
            content.isWoken = true
            return true
        }
    }

    /// Whether ``take(waits:until:)`` would return at once.
    var hasNews: Bool { content.withLock { !$0.isEmpty || $0.isWoken } }

    /// Empties the mailbox and returns its content. If it is empty and `waits` is true, sleeps until something arrives.
    ///
    /// - Parameter deadline: The latest time to return, or `nil` for none.
    func take(waits: Bool, until deadline: ContinuousClock.Instant? = nil) -> Content {
        while true {
            let taken = content.withLock { content in
                let taken = content
                // The mailbox stays closed. A submission after the last call would never be answered.
                content = Content(stops: taken.stops)
                return taken
            }
            // A signal left over from an earlier arrival only causes one more iteration of this loop.
            guard taken.isEmpty, !taken.isWoken, waits else { return taken }
            guard let deadline else {
                arrival.wait()
                continue
            }
            let left = deadline - .now
            guard left > .zero else { return taken }
            // The wait is at most a minute, because this clock advances while the machine sleeps and the semaphore's does not.
            let nanoseconds = Int(min(left, .seconds(60)) / .nanoseconds(1))
            _ = arrival.wait(timeout: .now() + .nanoseconds(nanoseconds))
        }
    }

    private func put(_ change: (inout Content) -> Bool) -> Bool {
        let (accepted, wakes) = content.withLock { content in
            let wasEmpty = content.isEmpty && !content.isWoken
            let accepted = change(&content)
            return (accepted, wasEmpty && !(content.isEmpty && !content.isWoken))
        }
        if wakes { arrival.signal() }
        return accepted
    }
}
