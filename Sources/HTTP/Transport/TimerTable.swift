/// Identifies a timer of one loop.
public struct TimerID: Hashable, Sendable {
    let rawValue: Int
}

/// The timers of a loop. A server has a few timers for each open request, and most are cancelled. Adding and removing are
/// therefore O(1), and the search for due timers is O(timers), once for each time that is reached.
struct TimerTable {
    typealias Work = @Sendable (isolated EventLoop) -> Void

    private var timers: [TimerID: (due: ContinuousClock.Instant, work: Work)] = [:]
    /// The timers that the last search found due, in reverse order.
    private var due: [TimerID] = []

    /// The time of the next search: when the first timer is due, or earlier if that one was removed. Nil without timers.
    private(set) var next: ContinuousClock.Instant?

    mutating func add(_ id: TimerID, at instant: ContinuousClock.Instant, _ work: @escaping Work) {
        timers[id] = (instant, work)
        next = next.map { min($0, instant) } ?? instant
    }

    /// Removes a timer. Has no effect if there is no such timer.
    mutating func remove(_ id: TimerID) {
        timers[id] = nil
        if timers.isEmpty { next = nil }
    }

    /// Removes a due timer and returns its work, the earliest first; nil if none is due.
    mutating func takeDue(at now: ContinuousClock.Instant) -> Work? {
        while true {
            while let id = due.popLast() {
                if let timer = timers[id] {
                    remove(id)
                    return timer.work
                }
            }
            guard let next, next <= now else { return nil }
            let reached = timers.filter { $0.value.due <= now }
            due = reached.sorted { ($0.value.due, $0.key.rawValue) > ($1.value.due, $1.key.rawValue) }.map(\.key)
            self.next = timers.values.lazy.map(\.due).filter { $0 > now }.min()
        }
    }
}
