// Estimates when running sequences will end, from the tokens that they may still generate and the speed of steps. It counts
// steps and tokens; the only times are those of steps, so that it does not change while nothing runs.

/// Estimates how long sequences run, from those that ended and from steps with decoding sequences.
struct RunEstimate: Sendable {
    /// The weight of a new value in a mean: about the last 16 values count.
    private static let newShare = 1.0 / 16
    /// The maximum weight of a measured step, relative to the mean, to limit the effect of outliers and clock jumps.
    private static let trust = 4.0

    /// The assumed number of generated tokens before a sequence has ended: a reply of some paragraphs. Limits say little,
    /// because by default they extend to the end of the context.
    static let assumedCompletion = 256.0
    /// The mean number of tokens that ended sequences have generated; `nil` before the first end.
    private(set) var meanCompletion: Double?
    /// The mean time in seconds of a step with decoding sequences; `nil` before the first.
    private(set) var stepSeconds: Double?
    /// The number of steps for each token of a decoding sequence: less than 1 with drafts, more if it has to wait.
    private var stepsPerToken = 1.0

    /// Updates the estimate with a sequence that ran and has ended.
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

    /// Updates the estimate with a sequence that got `tokens` in one step.
    mutating func sample(tokens: Int) {
        guard tokens > 0 else { return }
        stepsPerToken += (1 / Double(tokens) - stepsPerToken) * Self.newShare / 4
    }

    /// The expected number of tokens that a sequence will still generate: the difference to the mean, or half the mean if it
    /// has passed the mean; at most its remaining limit.
    func tokensLeft(generated: Int, limit: Int) -> Double {
        let left = Double(max(0, limit - generated))
        let mean = meanCompletion ?? Self.assumedCompletion
        return min(left, max(mean - Double(generated), mean / 2))
    }

    /// The time in seconds for this many tokens of a sequence; `nil` before a step was measured.
    func seconds(forTokens tokens: Double) -> Double? {
        stepSeconds.map { $0 * stepsPerToken * tokens }
    }
}
