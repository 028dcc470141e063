// When running sequences will end, by what they may still generate and by how fast steps are. Counts steps and tokens; the
// only times are those of steps, so that nothing changes while nothing runs.

/// How long sequences run, learnt from those that ended and from steps that decoded.
struct RunEstimate: Sendable {
    /// The share of one more end, or of one more step, in a mean: about the last 16 count.
    private static let newShare = 1.0 / 16
    /// The most that a measured step counts, in means: a hiccup, or a clock that jumps, moves little.
    private static let trust = 4.0

    /// Tokens that a sequence is taken to generate before one has ended: a reply of some paragraphs. Limits say little, for
    /// by default they reach to the end of the context.
    static let assumedCompletion = 256.0
    /// Tokens that ended sequences have generated, in the mean; `nil` before the first end.
    private(set) var meanCompletion: Double?
    /// Seconds of a step in which somebody decodes, in the mean; `nil` before the first.
    private(set) var stepSeconds: Double?
    /// Steps for each token that a decoding sequence gets: less than 1 with drafts, more where it has to wait.
    private var stepsPerToken = 1.0

    /// Learns from a sequence that ran and has ended.
    mutating func end(generatedTokens: Int) {
        let count = Double(generatedTokens)
        meanCompletion = meanCompletion.map { $0 + (count - $0) * Self.newShare } ?? count
    }

    /// Learns from a step.
    mutating func observe(_ work: StepWork, took time: Duration) {
        guard work.decodeTokens > 0 else { return }
        let seconds = max(time / .seconds(1), 1e-7)
        let mean = stepSeconds ?? seconds
        stepSeconds = mean + (min(seconds, mean * Self.trust) - mean) * Self.newShare
    }

    /// Learns that a sequence got `tokens` in one step.
    mutating func sample(tokens: Int) {
        guard tokens > 0 else { return }
        stepsPerToken += (1 / Double(tokens) - stepsPerToken) * Self.newShare / 4
    }

    /// Tokens that a sequence is expected to generate still: what is missing to the mean, and half the mean where it has
    /// come further than that; at most what its limit leaves.
    func tokensLeft(generated: Int, limit: Int) -> Double {
        let left = Double(max(0, limit - generated))
        let mean = meanCompletion ?? Self.assumedCompletion
        return min(left, max(mean - Double(generated), mean / 2))
    }

    /// Seconds for so many steps' tokens; `nil` before a step was measured.
    func seconds(forTokens tokens: Double) -> Double? {
        stepSeconds.map { $0 * stepsPerToken * tokens }
    }
}
