import Dispatch
import Foundation
import Logging
import Synchronization

/// Ends the process after SIGTERM or SIGINT, even if other threads are stuck: orderly shutdown needs the event loop, the engine
/// and Swift's thread pool.
final class Termination: Sendable {
    private struct State {
        var signals = 0
        var isServing = false
    }

    /// A separate serial queue: it gets a thread even while all threads of Dispatch's common pool are busy.
    private let queue = DispatchQueue(label: "termination")
    private let state = Mutex(State())
    private let drainTimeout: Duration
    private let logger: Logger
    private let end: @Sendable (Int32) -> Void

    /// - Parameters:
    ///   - drainTimeout: the time that running requests may take to finish.
    ///   - end: ends the process with a code, without waiting for any thread.
    init(drainTimeout: Duration, logger: Logger, end: @escaping @Sendable (Int32) -> Void = { _exit($0) }) {
        self.drainTimeout = drainTimeout
        self.logger = logger
        self.end = end
    }

    /// Called when the server starts to serve. From then on, there may be requests to finish.
    func startedServing() {
        state.withLock { $0.isServing = true }
    }

    /// Calls `body` for each of these signals, and limits the remaining time, until the returned sources are cancelled.
    func watch(_ signals: [Int32], _ body: @escaping @Sendable () -> Void) -> [any DispatchSourceSignal] {
        signals.map { number in
            // Dispatch only observes signals; the default action would end the process first.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { [self] in
                body()
                signalled()
            }
            source.resume()
            return source
        }
    }

    /// Handles a signal: ends the process with code 1 if it is still running after the allowance.
    func signalled() {
        let allowance = state.withLock { state in
            state.signals += 1
            return Self.allowance(signals: state.signals, isServing: state.isServing, drainTimeout: drainTimeout)
        }
        queue.asyncAfter(deadline: .now() + allowance / .seconds(1)) { [logger, end] in
            logger.error("forced to exit: shutdown did not finish", metadata: ["code": "1"])
            LogWriter.standardError.flush(within: .milliseconds(50))
            end(1)
        }
    }

    /// The maximum time of an orderly end. One second after the drain timeout, connections are closed, so code that is still
    /// running then is stuck; with another half second the process ends within the drain timeout plus two seconds.
    static func allowance(signals: Int, isServing: Bool, drainTimeout: Duration) -> Duration {
        if signals > 1 || !isServing { return .milliseconds(800) }
        return drainTimeout + .milliseconds(1500)
    }

    /// Ignores every signal that would end the process by default and does not indicate a fault.
    ///
    /// Not ignored: SIGQUIT, SIGABRT and the signals of faults, for their core dumps; SIGXCPU, because a limit of CPU time should
    /// end the process; SIGKILL and SIGSTOP, which cannot be ignored.
    static func ignoreStraySignals() {
        // SIGPIPE: the reader of the log may end. SIGHUP: reloads files and does not end the server. SIGXFSZ: at its limit,
        // writing to a log file returns an error. SIGVTALRM, SIGPROF, SIGALRM: timers that this process does not set.
        var numbers = [
            SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXFSZ,
        ]
        // Real-time signals; glibc uses 32 and 33 itself.
        numbers += 34...64
        for number in numbers { signal(number, SIG_IGN) }
    }
}
