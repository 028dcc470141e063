// When to refuse what comes, and when to tell it to come back. Knows counts and rates, no request.

/// The bounds of what waits for its first token.
public struct QueueBounds: Sendable, Equatable {
    /// Prompt tokens that may wait; a prompt that meets no other is taken whatever its length. `nil`: any number.
    public var tokens: Int?
    /// The longest that a request may have to wait, by estimate; `nil`: as long as it takes.
    public var wait: Duration?

    public init(tokens: Int? = nil, wait: Duration? = nil) {
        self.tokens = tokens
        self.wait = wait
    }
}

/// What a sequence that comes now would find before it.
public struct QueueLoad: Sendable, Equatable {
    /// Prompt tokens to be computed before its own.
    public var tokens = 0
    /// Sequences that will be admitted before it is.
    public var sequences = 0

    public init(tokens: Int = 0, sequences: Int = 0) {
        self.tokens = tokens
        self.sequences = sequences
    }
}

extension SchedulerStatistics {
    /// The longest wait that is told.
    public static let longestWait = Duration.seconds(3600)

    /// How long until `load` has been worked off, at most ``longestWait``: the longer of computing its prompts and of
    /// waiting for admission. The n-th of those that wait is admitted when the n-th running sequence is expected to end;
    /// each that is admitted runs for ``expectedRun``. What nothing is known of counts nothing. O(1).
    ///
    /// - Parameter maxRunning: sequences that run at once; while some wait already, that many count as running.
    public func wait(behind load: QueueLoad, maxRunning: Int) -> Duration {
        let free = waiting > 0 ? 0 : max(0, maxRunning - running)
        let ends = max(0, load.sequences + 1 - free)
        var seconds = 0.0
        if ends > 0 {
            // While some wait, those that run are all that can. Where none run, `maxRunning` are admitted at once.
            let count = expectedEnds.isEmpty ? max(maxRunning, 1) : expectedEnds.count
            let (rounds, index) = (ends - 1).quotientAndRemainder(dividingBy: count)
            seconds = (expectedEnds.isEmpty ? 0 : expectedEnds[index]) + Double(rounds) * (expectedRun ?? 0)
        }
        if let prefillRate, prefillRate > 0 { seconds = max(seconds, Double(load.tokens) / prefillRate) }
        return .seconds(seconds, atMost: Self.longestWait)
    }
}
