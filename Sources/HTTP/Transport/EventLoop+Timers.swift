import Foundation

extension EventLoop {
    /// Runs `work` once after `delay`, as a turn, unless it is cancelled or the loop is deinitialized before.
    public func schedule(
        after delay: Duration, _ work: @escaping @Sendable (isolated EventLoop) -> Void
    ) -> TimerID {
        let id = TimerID(rawValue: nextNumber())
        timers.add(id, at: .now + min(delay, .longest), work)
        return id
    }

    /// Cancels a timer. Has no effect if it has fired.
    public func cancel(_ id: TimerID) {
        timers.remove(id)
    }

    /// Runs the due timers. Returns the time of the next one.
    func fireTimers() -> ContinuousClock.Instant? {
        guard timers.next != nil || armedDeadline != nil else { return nil }
        let now = ContinuousClock.now
        // One at a time, because a timer can cancel another one that is due.
        while let work = timers.takeDue(at: now) { turn(work) }
        if let armedDeadline, Moment.origin + armedDeadline <= now { turn { $0.checkDeadlines() } }
        let deadline = armedDeadline.map { Moment.origin + $0 }
        guard let timer = timers.next else { return deadline }
        return deadline.map { min($0, timer) } ?? timer
    }

    // MARK: Connection deadlines

    /// Sets the time of the next check of deadlines. One timer serves all connections, set for the earliest known deadline.
    /// Deadlines mostly move later, so busy connections do not change it, and idle ones cost a check every minute or so.
    func arm(for deadline: Duration) {
        // Slightly late, so that nearby deadlines share one check.
        let deadline = deadline + .milliseconds(20)
        armedDeadline = armedDeadline.map { min($0, deadline) } ?? deadline
    }

    private func checkDeadlines() {
        let moment = now()
        armedDeadline = nil
        var earliest: Duration?
        for connection in connectionTable.values {
            guard let deadline = connection.machine.nextDeadline() else { continue }
            if deadline <= moment.time {
                connection.machine.deadlineReached(at: moment)
                touch(connection)
            } else {
                earliest = min(earliest ?? deadline, deadline)
            }
        }
        if let earliest { arm(for: earliest) }
    }

    func unixSeconds() -> Int { time(nil) }
}

extension Duration {
    /// Thirty years, which can be added to any instant.
    fileprivate static let longest = Duration.seconds(1_000_000_000)
}
