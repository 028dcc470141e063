import Dispatch
import Foundation

/// Identifies a timer of one loop.
public struct TimerID: Hashable, Sendable {
    fileprivate let rawValue: Int
}

extension EventLoop {
    /// Runs `work` once, as a turn, unless it is cancelled before.
    public func schedule(
        after delay: Duration, _ work: @escaping @Sendable (isolated EventLoop) -> Void
    ) -> TimerID {
        let id = TimerID(rawValue: nextNumber())
        let timer = DispatchSource.makeTimerSource(queue: executor.queue)
        timer.setEventHandler { @Sendable in
            self.assumeIsolated { loop in
                loop.cancel(id)
                loop.turn(work)
            }
        }
        timer.schedule(deadline: .now() + delay.dispatchInterval)
        timer.activate()
        timers[id] = timer
        return id
    }

    /// Has no effect if the timer has fired.
    public func cancel(_ id: TimerID) {
        timers.removeValue(forKey: id)?.cancel()
    }

    // MARK: Connection deadlines

    /// One timer serves all connections. It is set for the earliest known deadline. Deadlines mostly move later, so busy
    /// connections do not change it, and idle ones cost a check every minute or so.
    func arm(for deadline: ContinuousClock.Instant) {
        if let armedDeadline, armedDeadline <= deadline { return }
        armedDeadline = deadline
        let timer = deadlineTimer ?? makeDeadlineTimer()
        // Slightly late, so that nearby deadlines share one check.
        let delay = ContinuousClock.now.duration(to: deadline) + .milliseconds(20)
        timer.schedule(deadline: .now() + max(delay, .zero).dispatchInterval)
    }

    private func makeDeadlineTimer() -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: executor.queue)
        // Weak: otherwise the loop and its timer would keep each other alive.
        timer.setEventHandler { @Sendable [weak self] in
            self?.assumeIsolated { loop in loop.turn { $0.checkDeadlines() } }
        }
        timer.schedule(deadline: .distantFuture)
        timer.activate()
        deadlineTimer = timer
        return timer
    }

    private func checkDeadlines() {
        let moment = now()
        armedDeadline = nil
        var earliest: ContinuousClock.Instant?
        for connection in connectionTable.values {
            guard let deadline = connection.machine.deadline else { continue }
            if deadline <= moment.instant {
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
    var dispatchInterval: DispatchTimeInterval {
        let (seconds, attoseconds) = components
        // Limited to thirty years, which fits the type.
        return .nanoseconds(Int(min(seconds, 1_000_000_000)) * 1_000_000_000 + Int(attoseconds / 1_000_000_000))
    }
}
