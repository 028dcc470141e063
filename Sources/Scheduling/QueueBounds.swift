// Decides when to refuse requests, and estimates when they can be retried. It uses counts and rates, and does not know individual
// requests.

/// The bounds of the queue of sequences without a first token.
public struct QueueBounds: Sendable, Equatable {
    /// The maximum number of waiting prompt tokens, or `nil` for no maximum. If none are waiting, a prompt of any length is
    /// accepted.
    public var tokens: Int?
    /// The maximum estimated wait of a request, or `nil` for no maximum.
    public var wait: Duration?

    public init(tokens: Int? = nil, wait: Duration? = nil) {
        self.tokens = tokens
        self.wait = wait
    }
}

/// The load that is queued before a new sequence.
public struct QueueLoad: Sendable, Equatable {
    /// The number of prompt tokens to compute before its own.
    public var tokens = 0
    /// The number of sequences that will be admitted before it.
    public var sequences = 0

    public init(tokens: Int = 0, sequences: Int = 0) {
        self.tokens = tokens
        self.sequences = sequences
    }
}

extension SchedulerStatistics {
    /// The maximum estimated wait.
    public static let longestWait = Duration.seconds(3600)

    /// Returns the estimated time until `load` has been processed, at most ``longestWait``. It is the time to compute the prompts
    /// of `load` or the time to wait for admission, whichever is longer. The n-th waiting sequence is admitted when the n-th
    /// running sequence is expected to end, and each admitted sequence runs for ``expectedRun``. Unknown values count as zero.
    /// O(1).
    ///
    /// - Parameter maxRunning: The maximum number of running sequences.
    public func wait(behind load: QueueLoad, maxRunning: Int) -> Duration {
        let free = waiting > 0 ? 0 : max(0, maxRunning - running)
        let ends = max(0, load.sequences + 1 - free)
        var seconds = 0.0
        if ends > 0 {
            // If sequences are waiting, no more than the current number can run. If none are running, `maxRunning` are admitted at
            // once.
            let count = expectedEnds.isEmpty ? max(maxRunning, 1) : expectedEnds.count
            let (rounds, index) = (ends - 1).quotientAndRemainder(dividingBy: count)
            seconds = (expectedEnds.isEmpty ? 0 : expectedEnds[index]) + Double(rounds) * (expectedRun ?? 0)
        }
        if let prefillRate, prefillRate > 0 { seconds = max(seconds, Double(load.tokens) / prefillRate) }
        return .seconds(seconds, atMost: Self.longestWait)
    }
}
