// Predicts the time of a step from the measured times of earlier steps. It uses counts and durations, and no clock.

/// The quantities that determine the time of a step.
public struct StepWork: Sendable, Equatable {
    /// The number of tokens of decoding sequences.
    public var decodeTokens = 0
    /// The number of tokens of prompts and of recomputed sequences.
    public var prefillTokens = 0
    /// The number of pairs of a query and a key that it attends to, in a global layer.
    public var attentionPairs = 0

    public init() {}

    /// Adds the tokens at `positions` of one sequence.
    mutating func add(_ positions: Range<Int>, isDecode: Bool) {
        if isDecode { decodeTokens += positions.count } else { prefillTokens += positions.count }
        attentionPairs += positions.count * (positions.lowerBound + positions.upperBound + 1) / 2
    }
}

/// A model that predicts a step's time as a sum of non-negative costs, multiplied by the pace of the last steps:
///
///     time = pace * (step + used experts * e + decode tokens * d + prefill tokens * p + attention pairs * a)
///
/// A step reads the experts that its tokens are routed to. If n tokens are routed independently and evenly, each to a share s of
/// the experts, the step reads a share 1 - (1 - s)^n of them. A token therefore costs more in a small chunk than in a large one,
/// and costs little in a step that reads most experts anyway.
///
/// The costs minimize the squared relative errors over the last steps, with decaying weights (``memory``). Coordinate descent finds
/// them, starting from the previous costs. These rules keep the model robust on a machine with other work:
///
/// - A step counts as at most four times its predicted time, which limits the effect of outliers.
/// - The pace is a mean of measured times relative to the predictions. It adapts within some steps when the machine becomes slower
///   or faster, and the costs follow later.
/// - A cost about which the last steps have no information stays unchanged.
/// - If the first steps do not determine the causes of the time, it is attributed to the prefill tokens. Chunks therefore start
///   small.
public struct StepTimeModel: Sendable {
    /// The decay of the weights per step. About 30 steps count.
    private static let memory = 0.97
    /// The maximum weight of a measured time, relative to the prediction.
    private static let trust = 4.0
    /// The units of the terms: prefill tokens, pairs, decode tokens, share of used experts, steps. They make the terms similar in
    /// size, as coordinate descent requires.
    private static let units = SIMD8<Double>(64, 65536, 4, 1, 1, 1, 1, 1)
    private static let termCount = 5

    /// The share of the experts that a token is not routed to.
    private let missedShare: Double

    /// The costs in seconds per unit.
    private var costs = SIMD8<Double>.zero
    /// The weighted sums of the products of two terms, and of a term and the time, each relative to the step's expected time.
    private var products: [SIMD8<Double>] = Array(repeating: .zero, count: termCount)
    private var moments = SIMD8<Double>.zero
    private var pace = 1.0
    /// The typical time of recent steps in seconds.
    private var typical = 0.0
    /// Whether a prefill has been measured yet.
    private(set) var knowsPrefill = false

    /// - Parameter expertShare: The share of a layer's experts that one token is routed to, greater than 0. 1 means all, as in a
    ///   dense model.
    public init(expertShare: Double = 1) {
        precondition(expertShare > 0 && expertShare <= 1, "a token is routed to at least one expert")
        missedShare = 1 - expertShare
    }

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

        let terms = terms(work) / expected
        for row in 0..<Self.termCount { products[row] = products[row] * Self.memory + terms * terms[row] }
        moments = moments * Self.memory + terms * (counted / expected)
        for _ in 0..<8 {
            for term in 0..<Self.termCount where products[term][term] > 1e-12 {
                let others = (products[term] * costs).sum() - products[term][term] * costs[term]
                costs[term] = max(0, (moments[term] - others) / products[term][term])
            }
        }
    }

    /// Returns the predicted time of a step with this work, at most an hour, or zero before the first measurement.
    public func time(_ work: StepWork) -> Duration { .seconds(pace * sum(work), atMost: .seconds(3600)) }

    /// Returns the maximum number of tokens of a sequence from `start` on, at most `limit`, with which the step still ends within
    /// `time`. Returns 0 until a prefill has been measured. O(log limit).
    ///
    /// - Parameter work: The work of the step without these tokens.
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

    /// Returns the size of the smallest chunk, in a step of its own, in which a token costs at most `factor` times as much as in a
    /// chunk of `limit` tokens. Attention is not included, because its cost does not depend on the chunk size. O(log limit).
    ///
    /// - Returns: A size in 1...`limit`, or 1 before the first measurement.
    public func smallestChunk(costing factor: Double, ofChunk limit: Int) -> Int {
        func cost(_ tokens: Int) -> Double {
            var work = StepWork()
            work.prefillTokens = tokens
            return sum(work) / Double(tokens)
        }
        let most = factor * cost(limit)
        var (tooSmall, suffices) = (0, limit)
        while suffices - tooSmall > 1 {
            let tokens = (tooSmall + suffices) / 2
            if cost(tokens) <= most { suffices = tokens } else { tooSmall = tokens }
        }
        return suffices
    }

    /// Returns the time in seconds without the pace.
    private func sum(_ work: StepWork) -> Double { (terms(work) * costs).sum() }

    private func terms(_ work: StepWork) -> SIMD8<Double> {
        let missed = Self.power(missedShare, work.decodeTokens + work.prefillTokens)
        return SIMD8(
            Double(work.prefillTokens), Double(work.attentionPairs), Double(work.decodeTokens), 1 - missed, 1, 0, 0, 0)
            / Self.units
    }

    /// Returns a power by repeated squaring, so that the module does not need a math library. O(log exponent).
    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, bits) = (1.0, base, exponent)
        while bits > 0 {
            if bits & 1 == 1 { result *= square }
            square *= square
            bits >>= 1
        }
        return result
    }
}
