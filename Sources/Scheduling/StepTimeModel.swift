// Predicts the time of a step from the measured times of earlier steps. It uses counts and durations, and no clock.

/// The work of a step, in the quantities that determine its time.
public struct StepWork: Sendable, Equatable {
    /// Tokens of sequences that decode.
    public var decodeTokens = 0
    /// Tokens of prompts, and of sequences that are recomputed.
    public var prefillTokens = 0
    /// Pairs of a query and a key that it attends to, in a global layer.
    public var attentionPairs = 0

    public init() {}

    /// Adds the tokens at `positions` of one sequence.
    mutating func add(_ positions: Range<Int>, isDecode: Bool) {
        if isDecode { decodeTokens += positions.count } else { prefillTokens += positions.count }
        attentionPairs += positions.count * (positions.lowerBound + positions.upperBound + 1) / 2
    }
}

/// Predicts a step's time as a sum of non-negative costs, times the pace of the last steps:
///
///     time = pace * (step + decode tokens * d + prefill tokens * p + attention pairs * a)
///
/// The costs minimize the squares of relative errors over the last steps, with decaying weights (``memory``), found by
/// coordinate descent from the previous costs. These rules make it robust on a machine with other work:
///
/// - A step counts at most four times its predicted time, which limits the effect of outliers.
/// - The pace, a mean of measured times relative to the predictions, adapts within some steps when the machine becomes slower
///   or faster; the costs follow later.
/// - A cost on which the last steps have no information stays unchanged.
/// - If the first steps do not determine the causes of the time, it is attributed to the prefill tokens: chunks begin small.
public struct StepTimeModel: Sendable {
    /// The decay of the weights per step: about 30 steps count.
    private static let memory = 0.97
    /// The maximum weight of a measured time, relative to the prediction.
    private static let trust = 4.0
    /// Units in which the quantities are of similar size, as the descent requires: prefill tokens, pairs, decode tokens, steps.
    private static let units = SIMD4<Double>(64, 65536, 4, 1)

    /// Seconds per unit.
    private var costs = SIMD4<Double>.zero
    /// Sums of the products of two quantities, and of a quantity and the time, each relative to the step's time.
    private var products: [SIMD4<Double>] = Array(repeating: .zero, count: 4)
    private var moments = SIMD4<Double>.zero
    private var pace = 1.0
    /// The typical time of recent steps in seconds.
    private var typical = 0.0
    /// Whether a prefill has been measured yet.
    private(set) var knowsPrefill = false

    public init() {}

    /// Updates the model with a measured step. O(1).
    public mutating func observe(_ work: StepWork, took time: Duration) {
        let seconds = max(time / .seconds(1), 1e-7)
        if typical == 0 { typical = seconds }
        let sum = sum(work)
        let expected = max(sum, typical / Self.trust)
        let counted = min(seconds, Self.trust * expected)
        typical += (counted - typical) / 16
        if sum > 0 { pace += (max(1 / Self.trust, min(seconds / sum, Self.trust)) - pace) / 16 }
        if work.prefillTokens > 0 { knowsPrefill = true }

        let terms = Self.terms(work) / expected
        for row in 0..<4 { products[row] = products[row] * Self.memory + terms * terms[row] }
        moments = moments * Self.memory + terms * (counted / expected)
        for _ in 0..<8 {
            for term in 0..<4 where products[term][term] > 1e-12 {
                let others = (products[term] * costs).sum() - products[term][term] * costs[term]
                costs[term] = max(0, (moments[term] - others) / products[term][term])
            }
        }
    }

    /// The predicted time of a step with this work, at most an hour; zero before the first measurement.
    public func time(_ work: StepWork) -> Duration { .seconds(pace * sum(work), atMost: .seconds(3600)) }

    /// The maximum number of tokens of a sequence from `start` on, at most `limit`, with which the step still ends within
    /// `time`. Zero until a prefill has been measured. O(log limit).
    ///
    /// - Parameter work: the work of the step without them.
    public func prefillTokens(from start: Int, atMost limit: Int, beside work: StepWork, within time: Duration) -> Int {
        guard knowsPrefill else { return 0 }
        let bound = time / .seconds(1)
        var (fits, tooMany) = (0, limit + 1)
        while tooMany - fits > 1 {
            let tokens = (fits + tooMany) / 2
            var tried = work
            tried.add(start..<start + tokens, isDecode: false)
            if pace * sum(tried) <= bound { fits = tokens } else { tooMany = tokens }
        }
        return fits
    }

    /// In seconds.
    private func sum(_ work: StepWork) -> Double { (Self.terms(work) * costs).sum() }

    private static func terms(_ work: StepWork) -> SIMD4<Double> {
        SIMD4(Double(work.prefillTokens), Double(work.attentionPairs), Double(work.decodeTokens), 1) / units
    }
}
