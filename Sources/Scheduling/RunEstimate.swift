// Estimates when running sequences will end, from the tokens that they may still generate and the speed of steps. It measures time
// only in steps, so the estimate does not change while nothing runs.

/// An estimate of how long sequences run, based on ended sequences and on steps with decoding sequences.
struct RunEstimate: Sendable {
    /// The weight of a new value in a mean. About the last 16 values count.
    private static let newShare = 1.0 / 16
    /// The maximum weight of a measured step, relative to the mean, to limit the effect of outliers and clock jumps.
    private static let trust = 4.0

    /// The assumed number of generated tokens per sequence before any sequence has ended: a reply of a few paragraphs. Limits are a
    /// poor estimate, because by default they extend to the end of the context.
    static let assumedCompletion = 256.0
    /// The mean number of tokens that ended sequences generated, or `nil` before the first end.
    private(set) var meanCompletion: Double?
    /// The mean time in seconds of a step with decoding sequences, or `nil` before the first one.
    private(set) var stepSeconds: Double?
    /// The number of steps per token of a decoding sequence: less than 1 with accepted drafts.
    private var stepsPerToken = 1.0

    /// Updates the estimate with an ended sequence that had been running.
    mutating func end(generatedTokens: Int) {
        let count = Double(generatedTokens)
        meanCompletion = meanCompletion.map { $0 + (count - $0) * Self.newShare } ?? count
    }

    /// Updates the estimate with a step.
    mutating func observe(_ work: StepWork, took time: Duration) {
        guard work.decodeTokens > 0 else { return }
        let seconds = max(time / .seconds(1), 1e-7)
        let mean = stepSeconds ?? seconds
        stepSeconds = mean + (min(seconds, mean * Self.trust) - mean) * Self.newShare
    }

    /// Updates the estimate with a sequence that gained `tokens` tokens in one step.
    mutating func sample(tokens: Int) {
        guard tokens > 0 else { return }
        stepsPerToken += (1 / Double(tokens) - stepsPerToken) * Self.newShare / 4
    }

    /// Returns the expected number of tokens that a sequence will still generate: the mean minus the tokens generated so far, but
    /// at least half the mean and at most the remaining limit.
    func tokensLeft(generated: Int, limit: Int) -> Double {
        let left = Double(max(0, limit - generated))
        let mean = meanCompletion ?? Self.assumedCompletion
        return min(left, max(mean - Double(generated), mean / 2))
    }

    /// Returns the time in seconds in which a sequence generates this many tokens, or `nil` before a step has been measured.
    func seconds(forTokens tokens: Double) -> Double? {
        stepSeconds.map { $0 * stepsPerToken * tokens }
    }
}
