/// The size of prefill steps in a model whose stages compute different steps at the same time.
///
/// n equal steps with time t in all stages together, and t / d in the slowest one, take
///
///     t / d * (n - 1 + d)
///
/// While the first step enters the pipeline and the last one leaves it, the other stages have nothing to compute. Smaller steps make
/// this time shorter, but each step reads the weights again. So the size depends on the number of tokens to compute: eight prompts
/// take large steps, and one prompt is divided into small ones, because otherwise only one stage at a time would compute it.
///
/// The times of steps are measured for some sizes. Other work on the CPUs only makes steps slower, so the shortest recent time of a
/// size is the best estimate. A fitted ``StepTimeModel`` would be disturbed by slow steps: on a busy machine, the first steps of
/// requests that arrive together are both slow and small, so large steps would seem better than they are.
struct PrefillPipeline: Sendable {
    /// The sizes that are compared: multiples of the token budget divided by this number.
    private static let sizes = 8
    /// For a size without a measured time, reading the weights is assumed to take as long as computing this many tokens.
    private static let assumedWeightTokens = 32.0
    /// The factor by which a measured time grows with each later step of its size, so that an old one is forgotten.
    private static let growth = 1.02

    /// The time of a step in all stages, relative to its time in the slowest one: d above. With 1, no stages overlap.
    var overlap = 1.0
    /// The maximum number of tokens of a step.
    private let limit: Int
    /// The shortest recent time for each token of steps of each size, in seconds. The first is that of the smallest size.
    private var tokenSeconds = [Double?](repeating: nil, count: sizes)

    init(limit: Int) {
        self.limit = limit
    }

    /// Records the time of a step in all stages together, without waits. Only steps without decodes count: the weights that a
    /// decode reads take their full time, but a large step reads them while it computes.
    mutating func observe(_ work: StepWork, took time: Duration) {
        let tokens = work.prefillTokens
        guard work.decodeTokens == 0, tokens > 0, time > .zero else { return }
        let index = index(of: tokens)
        let size = self.tokens(at: index)
        // In much smaller steps than the smallest size, a token takes longer.
        guard abs(tokens - size) * 4 <= size else { return }
        let measured = time / .seconds(1) / Double(tokens)
        tokenSeconds[index] = tokenSeconds[index].map { min($0 * Self.growth, measured) } ?? measured
    }

    /// Returns the number of tokens of a step with which `tokens` tokens of prompts are computed fastest, at most the limit.
    func stepTokens(of tokens: Int) -> Int {
        guard overlap > 1, tokens > 0 else { return limit }
        var best = (size: limit, time: Double.infinity)
        for index in (0..<Self.sizes).reversed() {
            let most = self.tokens(at: index)
            let steps = (tokens + most - 1) / most
            let size = (tokens + steps - 1) / steps
            let time = seconds(tokens: size) * (Double(steps) - 1 + overlap)
            if time < best.time { best = (size, time) }
        }
        return best.size
    }

    private func tokens(at index: Int) -> Int { max(limit * (index + 1) / Self.sizes, 1) }

    /// Returns the index of the size that is the nearest one to `tokens`.
    private func index(of tokens: Int) -> Int {
        min(max((tokens * Self.sizes + limit / 2) / limit, 1), Self.sizes) - 1
    }

    /// Returns the time of a step. Until one has been measured, only its ratio to that of other steps has a meaning.
    private func seconds(tokens: Int) -> Double {
        let index = index(of: tokens)
        if let measured = tokenSeconds[index] { return measured * Double(tokens) }
        let nearest = tokenSeconds.indices.lazy.filter { tokenSeconds[$0] != nil }
            .min { abs($0 - index) < abs($1 - index) }
        guard let nearest, let measured = tokenSeconds[nearest] else { return Self.assumedSeconds(tokens: tokens) }
        let size = self.tokens(at: nearest)
        return measured * Double(size) * Self.assumedSeconds(tokens: tokens) / Self.assumedSeconds(tokens: size)
    }

    private static func assumedSeconds(tokens: Int) -> Double { Double(tokens) + assumedWeightTokens }
}
