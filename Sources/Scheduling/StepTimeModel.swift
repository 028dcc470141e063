// How long a step will take, learnt from how long steps took. Knows counts and durations; never looks at a clock.

/// The work of a step, in the terms that its time depends on.
public struct StepWork: Sendable, Equatable {
    /// Tokens of sequences that decode.
    public var decodeTokens = 0
    /// Tokens of prompts, and of sequences that are computed again.
    public var prefillTokens = 0
    /// Pairs of a query and a key that it sees in a layer that sees all.
    public var attentionPairs = 0

    public init() {}

    /// Adds the tokens at `positions` of one sequence.
    mutating func add(_ positions: Range<Int>, isDecode: Bool) {
        if isDecode { decodeTokens += positions.count } else { prefillTokens += positions.count }
        attentionPairs += positions.count * (positions.lowerBound + positions.upperBound + 1) / 2
    }
}

/// Predicts a step's time as a sum of costs that are never negative, times the pace of the last steps:
///
///     time = pace * (step + experts touched * e + decode tokens * d + prefill tokens * p + attention pairs * a)
///
/// Of the experts a step reads those that its tokens are sent to. With n tokens that choose independently and evenly, each being
/// sent to a share s of the experts, that is 1 - (1 - s)^n of them. So a token of a small chunk costs more than one of a large
/// one, and costs little beside tokens that have the experts read already.
///
/// The costs are the least squares of relative errors over the last steps, older ones counting less and less
/// (``memory``), found by coordinate descent from the costs before. What makes it hold on a machine with other work:
///
/// - A step counts at most four times its sum of costs, so that a hiccup moves little.
/// - The pace, a mean of measured times in relation to the sums, notices within some steps that the machine has become slower
///   or faster; the costs follow later.
/// - A cost that the last steps say nothing of stays as it was.
/// - Where the first steps leave open what took the time, it goes to the prefill tokens: chunks begin small.
public struct StepTimeModel: Sendable {
    /// What one more step leaves of the weight of those before: about 30 steps count.
    private static let memory = 0.97
    /// The most that a measured time counts, in predictions.
    private static let trust = 4.0
    private static let termCount = 5
    /// Units in which the terms are of similar size, which descent needs: prefill tokens, pairs, decode tokens, touched
    /// share of the experts, steps.
    private static let units = SIMD8<Double>(64, 65536, 4, 1, 1, 1, 1, 1)

    /// The share of the experts that a token is not sent to.
    private let missedShare: Double
    /// Seconds a unit.
    private var costs = SIMD8<Double>.zero
    /// Sums of the products of two terms, and of a term and the time, each in relation to the step's time.
    private var products: [SIMD8<Double>] = Array(repeating: .zero, count: termCount)
    private var moments = SIMD8<Double>.zero
    private var pace = 1.0
    /// Seconds that steps take of late.
    private var typical = 0.0
    /// Whether a prefill has been measured yet.
    private(set) var knowsPrefill = false

    /// - Parameter expertShare: the share of a layer's experts that one token is sent to, more than 0; 1: all, as of a dense
    ///   model.
    public init(expertShare: Double = 1) {
        precondition(expertShare > 0 && expertShare <= 1, "a token is sent to at least one expert")
        missedShare = 1 - expertShare
    }

    /// Learns from a step. O(1).
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

    /// How long a step of this work will take, at most an hour; zero before anything was learnt.
    public func time(_ work: StepWork) -> Duration { .seconds(pace * sum(work), atMost: .seconds(3600)) }

    /// The most tokens of a sequence from `start` on, at most `limit`, with which the step still ends within `time`. None
    /// as long as no prefill has been measured. O(log limit).
    ///
    /// - Parameter work: of the step without them.
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

    /// The smallest chunk at the beginning of a prompt, in a step of its own, of which a token costs at most `factor` times as much
    /// as in the largest, of `limit` tokens. Attention aside, which costs the same in chunks of any size. O(log limit).
    ///
    /// - Returns: 1...`limit`; 1 before anything was learnt.
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

    /// In seconds.
    private func sum(_ work: StepWork) -> Double { (terms(work) * costs).sum() }

    private func terms(_ work: StepWork) -> SIMD8<Double> {
        let missed = Self.power(missedShare, work.decodeTokens + work.prefillTokens)
        return SIMD8(
            Double(work.prefillTokens), Double(work.attentionPairs), Double(work.decodeTokens), 1 - missed, 1, 0, 0, 0)
            / Self.units
    }

    /// By squaring: the module does without a library of mathematics. O(log exponent).
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
