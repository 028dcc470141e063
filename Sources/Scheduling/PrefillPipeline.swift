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

    /// The time of a step in all stages, relative to its time in the slowest one: d above. With 1, no stages overlap.
    var overlap = 1.0
    private var stepTimes: StepTimeModel

    init(expertShare: Double) {
        stepTimes = StepTimeModel(expertShare: expertShare)
    }

    /// Records the time of a step in all stages together, without waits.
    mutating func observe(_ work: StepWork, took time: Duration) { stepTimes.observe(work, took: time) }

    /// Returns the number of tokens of a step with which `tokens` tokens of prompts are computed fastest, at most `limit`.
    func stepTokens(of tokens: Int, atMost limit: Int) -> Int {
        guard overlap > 1, stepTimes.knowsPrefill, tokens > 0 else { return limit }
        var best = (size: limit, time: Double.infinity)
        for part in (1...Self.sizes).reversed() {
            let most = max(limit * part / Self.sizes, 1)
            let steps = (tokens + most - 1) / most
            let size = (tokens + steps - 1) / steps
            var work = StepWork()
            work.prefillTokens = size
            let time = (stepTimes.time(work) / .seconds(1)) * (Double(steps) - 1 + overlap)
            if time < best.time { best = (size, time) }
        }
        return best.size
    }
}
