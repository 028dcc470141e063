import Scheduling
import Synchronization

/// The current activity of the engine thread, for a watchdog on another thread.
public struct RunningStep: Sendable {
    /// The parts of a step.
    public enum Phase: String, Sendable {
        /// Accepting new requests and aborts, and scheduling.
        case schedule
        /// Running the model, sampling and reporting.
        case compute
    }

    /// The number of the step since the start, with which two reads show whether it is still the same step.
    public var number: UInt64
    public var began: ContinuousClock.Instant
    public var phase = Phase.schedule
    /// The sequences of the step. In the phase `schedule`, those that were just submitted.
    public var sequences: [SequenceID] = []
    /// The number of tokens that the step computes.
    public var tokens = 0

    /// - Parameters:
    ///   - number: The step's number since the start.
    ///   - began: The time when it began.
    public init(number: UInt64, began: ContinuousClock.Instant) {
        self.number = number
        self.began = began
    }
}

/// A journal in which the engine thread publishes its running step. It is locked two or three times per step, for a few assignments
/// each.
final class StepJournal: Sendable {
    private struct State {
        var count: UInt64 = 0
        var running: RunningStep?
    }

    private let state = Mutex(State())

    /// The current step, or `nil` if the thread sleeps or has not started.
    var running: RunningStep? { state.withLock(\.running) }

    func begin(submitted: [SequenceID]) {
        state.withLock { state in
            state.count += 1
            state.running = RunningStep(number: state.count, began: .now)
            state.running?.sequences = submitted
        }
    }

    func compute(_ sequences: [SequenceID], tokens: Int) {
        state.withLock { state in
            state.running?.phase = .compute
            state.running?.sequences = sequences
            state.running?.tokens = tokens
        }
        #if DEBUG
            StalledStep.sleepIfAsked()
        #endif
    }

    func end() {
        state.withLock { $0.running = nil }
    }
}

#if DEBUG
    import Foundation

    /// Simulates an engine that hangs in its first step, for process tests. Not in release builds.
    private enum StalledStep {
        private static let isLeft = Atomic(true)

        /// Sleeps for the number of seconds in `TRINITY_TEST_STALL_STEP`, once.
        static func sleepIfAsked() {
            guard let text = ProcessInfo.processInfo.environment["TRINITY_TEST_STALL_STEP"],
                let seconds = Double(text), isLeft.exchange(false, ordering: .relaxed)
            else { return }
            Thread.sleep(forTimeInterval: seconds)
        }
    }
#endif
