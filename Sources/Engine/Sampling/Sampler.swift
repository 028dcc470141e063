import Grammars

// Chooses the next token of one sequence from its logits, in the order of vLLM's sampler: grammar, allowed tokens, bad words,
// minimum tokens, bias, penalties, temperature, min-p, top-k, top-p, draw. Log-probabilities are computed from the original logits.

/// The reason why no token can be sampled: the model or its weights are invalid, or the request's constraints exclude every token.
enum SamplerError: Error, Hashable, CustomStringConvertible {
    /// A logit is NaN or positive infinity.
    case notFinite
    /// Every token is masked.
    case noCandidate

    var description: String {
        switch self {
        case .notFinite: "the model's logits are not finite"
        case .noCandidate: "every token is excluded"
        }
    }
}

/// A chosen token.
struct SampledToken: Hashable {
    var id: Int32
    /// The log-probabilities, or `nil` if they are not requested.
    var logprobs: TokenLogprobs?
}

/// A token sampler. It has scratch memory for one row, so each thread that samples has its own.
///
/// A token depends only on its row, its parameters and the state of its sequence, never on earlier calls. Every loop runs over ids
/// in ascending order, and (seed, choice, position) determine the random number.
final class Sampler {
    /// The temperature below which the most probable token is used.
    static let greedyTemperature: Float = 1e-5

    let vocabularySize: Int
    /// The row after bias and penalties.
    private let adjusted: UnsafeMutableBufferPointer<Float>
    private var candidates: CandidateSet

    init(vocabularySize: Int) {
        self.vocabularySize = vocabularySize
        adjusted = .allocate(capacity: vocabularySize)
        adjusted.initialize(repeating: 0)
        candidates = CandidateSet(capacity: vocabularySize)
    }

    /// Returns the number of bytes that `init` allocates.
    static func bytes(vocabularySize: Int) -> Int {
        4 * vocabularySize + CandidateSet.bytes(capacity: vocabularySize)
    }

    deinit {
        adjusted.deallocate()
    }

    /// Samples one token.
    ///
    /// - Parameters:
    ///   - logits: One row of the model's logits, (vocabularySize), which is not changed.
    ///   - counts: The token counts of this sequence, required if `parameters.needsCounts`.
    ///   - position: The number of tokens generated so far.
    ///   - stopIDs: The end-of-sequence and stop ids, which `parameters.minTokens` excludes at first.
    ///   - grammar: The constraint on the text.
    ///   - logprobs: The number of alternatives to report, or `nil` for no report.
    /// - Throws: `SamplerError`.
    func sample(
        _ logits: UnsafeBufferPointer<Float>, parameters: SamplingParameters, counts: TokenCounts, position: Int,
        stopIDs: some Sequence<Int32>, grammar: GrammarMatcher? = nil, logprobs: Int? = nil
    ) throws(SamplerError) -> SampledToken {
        let row = adjust(
            logits, parameters: parameters, counts: counts, position: position, stopIDs: stopIDs, grammar: grammar)
        let id = try choose(from: row, parameters: parameters, position: position)
        guard let logprobs else { return SampledToken(id: id) }
        return SampledToken(id: id, logprobs: try TokenLogprobs(of: id, logits: logits, top: logprobs))
    }

    /// Returns the tokens that can be sampled in ascending order of id, each with its probability.
    func distribution(
        _ logits: UnsafeBufferPointer<Float>, parameters: SamplingParameters, counts: TokenCounts, position: Int,
        stopIDs: some Sequence<Int32>
    ) throws(SamplerError) -> [(id: Int32, probability: Double)] {
        let row = adjust(logits, parameters: parameters, counts: counts, position: position, stopIDs: stopIDs)
        let maximum = try Self.finiteMaximum(of: row)
        if parameters.temperature < Self.greedyTemperature { return [(Self.first(maximum, in: row), 1)] }
        candidates.fill(from: row, maximum: maximum, parameters: parameters)
        return candidates.probabilities
    }

    /// Returns the row with masks, bias and penalties applied: `logits` itself if there is nothing to apply, and otherwise scratch
    /// memory that the next call overwrites.
    func adjust(
        _ logits: UnsafeBufferPointer<Float>, parameters: SamplingParameters, counts: TokenCounts, position: Int,
        stopIDs: some Sequence<Int32>, grammar: GrammarMatcher? = nil
    ) -> UnsafeBufferPointer<Float> {
        precondition(logits.count == vocabularySize, "a row has one logit for each id")
        let holdsBack = position < parameters.minTokens
        let mask = grammar?.mask
        // Where the grammar has no mask, any text may follow, including its end, so an end that the grammar does not allow yet is
        // excluded separately.
        let forbidsEnd = grammar.map { !$0.mayEnd } ?? false
        guard
            holdsBack || mask != nil || forbidsEnd || parameters.needsCounts || !parameters.logitBias.isEmpty
                || parameters.allowedTokenIDs != nil
        else { return logits }
        if let allowed = parameters.allowedTokenIDs {
            adjusted.update(repeating: -.infinity)
            for id in allowed where adjusted.indices.contains(Int(id)) { adjusted[Int(id)] = logits[Int(id)] }
        } else {
            _ = adjusted.update(fromContentsOf: logits)
        }
        if let mask { restrict(to: mask, and: forbidsEnd ? [] : Array(stopIDs)) }
        if mask == nil, forbidsEnd {
            for id in stopIDs where adjusted.indices.contains(Int(id)) { adjusted[Int(id)] = -.infinity }
        }
        for word in parameters.badWords where counts.recent.suffix(word.count - 1).elementsEqual(word.dropLast()) {
            if let id = word.last, adjusted.indices.contains(Int(id)) { adjusted[Int(id)] = -.infinity }
        }
        if holdsBack {
            for id in stopIDs where adjusted.indices.contains(Int(id)) { adjusted[Int(id)] = -.infinity }
        }
        for entry in parameters.logitBias where adjusted.indices.contains(Int(entry.id)) {
            adjusted[Int(entry.id)] += entry.bias
        }
        if parameters.hasPenalties { penalize(parameters, counts) }
        return UnsafeBufferPointer(adjusted)
    }

    /// Keeps the tokens of a mask, and the tokens that end the text if it may end.
    private func restrict(to mask: TokenMask, and ends: [Int32]) {
        let ends = ends.filter { adjusted.indices.contains(Int($0)) }.map { ($0, adjusted[Int($0)]) }
        var start = 0
        for word in mask.words where start < adjusted.count {
            let stop = min(start + 64, adjusted.count)
            if word == 0 {
                for id in start..<stop { adjusted[id] = -.infinity }
            } else if word != .max {
                for id in start..<stop where word >> UInt64(id - start) & 1 == 0 { adjusted[id] = -.infinity }
            }
            start = stop
        }
        for id in start..<max(start, adjusted.count) { adjusted[id] = -.infinity }
        for (id, logit) in ends { adjusted[Int(id)] = logit }
    }

    /// Applies the penalties. Each id is changed independently, so the order of the dictionary does not matter.
    private func penalize(_ parameters: SamplingParameters, _ counts: TokenCounts) {
        for id in counts.prompt where counts.generated[id] == nil && adjusted.indices.contains(Int(id)) {
            adjusted[Int(id)] = repeated(adjusted[Int(id)], parameters)
        }
        for (id, count) in counts.generated where adjusted.indices.contains(Int(id)) {
            var logit = repeated(adjusted[Int(id)], parameters)
            logit -= parameters.frequencyPenalty * Float(count)
            logit -= parameters.presencePenalty
            adjusted[Int(id)] = logit
        }
    }

    /// Returns the logit of a token that has occurred, after the repetition penalty.
    private func repeated(_ logit: Float, _ parameters: SamplingParameters) -> Float {
        // Extreme penalties give numbers outside the range of float32, but only the model's own logits may cause an error.
        logit > 0
            ? min(logit / parameters.repetitionPenalty, .greatestFiniteMagnitude)
            : logit * parameters.repetitionPenalty
    }

    private func choose(
        from row: UnsafeBufferPointer<Float>, parameters: SamplingParameters, position: Int
    ) throws(SamplerError) -> Int32 {
        let maximum = try Self.finiteMaximum(of: row)
        if parameters.temperature < Self.greedyTemperature { return Self.first(maximum, in: row) }
        candidates.fill(from: row, maximum: maximum, parameters: parameters)
        return candidates.draw(
            Philox.uniform(seed: parameters.seed, choice: parameters.choice, position: position))
    }

    static func finiteMaximum(of row: UnsafeBufferPointer<Float>) throws(SamplerError) -> Float {
        guard let maximum = row.largest(), maximum < .infinity else { throw .notFinite }
        guard maximum > -.infinity else { throw .noCandidate }
        return maximum
    }

    /// Returns the lowest id whose logit is `maximum`.
    private static func first(_ maximum: Float, in row: UnsafeBufferPointer<Float>) -> Int32 {
        Int32(row.firstIndex(of: maximum) ?? 0)
    }
}
