import Dispatch
import Foundation
import Logging
import Synchronization

/// Ends the process after SIGTERM or SIGINT, whatever the other threads do: orderly shutdown needs the event loop, the
/// engine and Swift's pool, and each of them may be stuck.
final class Termination: Sendable {
    private struct State {
        var signals = 0
        var isServing = false
    }

    /// Of its own, and serial: such a queue gets a thread even while all threads of Dispatch's common pool are busy.
    private let queue = DispatchQueue(label: "termination")
    private let state = Mutex(State())
    private let drainTimeout: Duration
    private let logger: Logger
    private let end: @Sendable (Int32) -> Void

    /// - Parameters:
    ///   - drainTimeout: how long running requests may take to finish.
    ///   - end: ends the process with a code, without waiting for any thread.
    init(drainTimeout: Duration, logger: Logger, end: @escaping @Sendable (Int32) -> Void = { _exit($0) }) {
        self.drainTimeout = drainTimeout
        self.logger = logger
        self.end = end
    }

    /// From now on there may be requests to finish.
    func startedServing() {
        state.withLock { $0.isServing = true }
    }

    /// Calls `body` for every SIGTERM and SIGINT, and limits what time is left; lasts as long as the process.
    func watch(_ body: @escaping @Sendable () -> Void) -> [any DispatchSourceSignal] {
        [SIGTERM, SIGINT].map { number in
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

    /// Takes note of a signal: ends the process with code 1 when it still runs after its allowance.
    func signalled() {
        let allowance = state.withLock { state in
            state.signals += 1
            return Self.allowance(signals: state.signals, isServing: state.isServing, drainTimeout: drainTimeout)
        }
        queue.asyncAfter(deadline: .now() + allowance / .seconds(1)) { [logger, end] in
            logger.error("ended by force: shutdown did not finish", metadata: ["code": "1"])
            LogWriter.standardError.flush(within: .milliseconds(50))
            end(1)
        }
    }

    /// The time that an orderly end may take. One second after the drain timeout connections are cut, so that what then
    /// still runs is stuck; with half a second more the process ends within the drain timeout plus two seconds.
    static func allowance(signals: Int, isServing: Bool, drainTimeout: Duration) -> Duration {
        if signals > 1 || !isServing { return .milliseconds(800) }
        return drainTimeout + .milliseconds(1500)
    }

    /// Ignores every signal whose default action would end the process and that says nothing about its health.
    ///
    /// Left alone: SIGQUIT, SIGABRT and the signals of faults, for their core dumps; SIGXCPU, since a limit of CPU time is
    /// there to end the process; SIGKILL and SIGSTOP, which cannot be ignored.
    static func ignoreStraySignals() {
        // SIGPIPE: whoever reads the log may go away. SIGHUP: ends no server; `Application` reloads files on it. SIGXFSZ: a
        // log file at its limit is an error of `write`. SIGVTALRM, SIGPROF, SIGALRM: timers that nobody here has set.
        var numbers = [
            SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXFSZ,
        ]
        // Real-time signals; glibc keeps 32 and 33 to itself.
        numbers += 34...64
        for number in numbers { signal(number, SIG_IGN) }
    }
}
