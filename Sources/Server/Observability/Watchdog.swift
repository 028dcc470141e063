import Engine
import Foundation
import Logging
import Synchronization

/// Detects an engine that does not finish its step. It runs on a separate thread, so that it works even if the engine, the
/// event loop or the thread pool is blocked.
final class Watchdog: Sendable {
    private let timeout: Duration
    private let logger: Logger
    private let step: @Sendable () -> RunningStep?
    private let starter: SystemThread.Starter
    /// The number of the stalled step; 0: none.
    private let stalled = Atomic<UInt64>(0)
    private let isStopped = Atomic(false)

    /// - Parameters:
    ///   - timeout: the maximum time of a step.
    ///   - starter: starts its thread.
    ///   - step: returns the current step; called on any thread.
    init(
        timeout: Duration, logger: Logger, starter: @escaping SystemThread.Starter = SystemThread.start,
        step: @escaping @Sendable () -> RunningStep?
    ) {
        self.starter = starter
        self.timeout = timeout
        self.logger = logger
        self.step = step
    }

    /// Whether the current step of the engine exceeds the timeout, as of the last check.
    var isStalled: Bool { stalled.load(ordering: .relaxed) > 0 }

    /// Checks once a second, or four times within a shorter timeout, until `stop`.
    ///
    /// - Throws: if the system refuses to create the thread.
    func start() throws(SystemThread.Failure) {
        let interval = min(timeout / .seconds(4), 1)
        try starter("watchdog", 512 << 10) { [self] in
            while !isStopped.load(ordering: .relaxed) {
                look(now: .now)
                Thread.sleep(forTimeInterval: interval)
            }
        }
    }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
    }

    /// Compares the current step with the timeout. Logs when a step is found stalled, and when it has ended after all.
    func look(now: ContinuousClock.Instant) {
        let running = step()
        let known = stalled.load(ordering: .relaxed)
        if known > 0, running?.number != known {
            stalled.store(0, ordering: .relaxed)
            logger.notice("engine recovered", metadata: ["step": "\(known)"])
        }
        guard let running, running.number != known, now - running.began > timeout else { return }
        // Before logging, which may block.
        stalled.store(running.number, ordering: .relaxed)
        let sequences = running.sequences.prefix(16).map { String($0.rawValue) }.joined(separator: ",")
        logger.error(
            "engine stalled: the step has not ended within --watchdog-timeout",
            metadata: [
                "step": "\(running.number)", "phase": "\(running.phase.rawValue)",
                "seconds": "\(Int((now - running.began) / .seconds(1)))", "timeout": "\(timeout)",
                "tokens": "\(running.tokens)", "sequences": "\(running.sequences.count)",
                "sequence_ids": "\(sequences)",
            ])
    }
}
