/// The size of prefill steps in a model whose stages compute different steps at the same time.
///
/// n equal steps with time t in all stages together, and t / d in the slowest one, take
///
///     t / d * (n - 1 + d)
///
/// While the first step enters the pipeline and the last one leaves it, the other stages have nothing to compute. Smaller steps make
/// this time shorter, but each step reads the weights again. So the size depends on the number of tokens to compute: eight prompts
/// take large steps, and one prompt is divided into small ones, because otherwise only one stage at a time would compute it.
struct PrefillPipeline: Sendable {
    /// The sizes that are compared: multiples of the token budget divided by this number.
    private static let sizes = 8
    /// Until a step without decodes has been measured, reading the weights is assumed to take as long as computing this many
    /// tokens.
    private static let assumedWeightTokens = 32.0

    /// The time of a step in all stages, relative to its time in the slowest one: d above. With 1, no stages overlap.
    var overlap = 1.0
    private var stepTimes: StepTimeModel

    init(expertShare: Double) {
        stepTimes = StepTimeModel(expertShare: expertShare)
    }

    /// Records the time of a step in all stages together, without waits. Only steps without decodes count: the weights that a
    /// decode reads take their full time, but a large step reads them while it computes.
    mutating func observe(_ work: StepWork, took time: Duration) {
        if work.decodeTokens == 0 { stepTimes.observe(work, took: time) }
    }

    /// Returns the number of tokens of a step with which all tokens of `prompts` are computed fastest, at most `limit`.
    ///
    /// - Parameter prompts: The remaining work of all prompts.
    func stepTokens(of prompts: StepWork, atMost limit: Int) -> Int {
        let tokens = prompts.prefillTokens
        guard overlap > 1, tokens > 0 else { return limit }
        var best = (size: limit, time: Double.infinity)
        for part in (1...Self.sizes).reversed() {
            let most = max(limit * part / Self.sizes, 1)
            let steps = (tokens + most - 1) / most
            let size = (tokens + steps - 1) / steps
            let time = seconds(tokens: size, pairs: prompts.attentionPairs / steps) * (Double(steps) - 1 + overlap)
            if time < best.time { best = (size, time) }
        }
        return best.size
    }

    /// Returns the time of a step. Until one has been measured, only its ratio to that of other steps has a meaning.
    private func seconds(tokens: Int, pairs: Int) -> Double {
        guard stepTimes.knowsPrefill else { return Double(tokens) + Self.assumedWeightTokens }
        var work = StepWork()
        work.prefillTokens = tokens
        work.attentionPairs = pairs
        return stepTimes.time(work) / .seconds(1)
    }
}
