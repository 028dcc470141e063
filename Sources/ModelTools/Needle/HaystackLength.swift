/// Finds the number of haystack sentences for a prompt of a given number of tokens.
enum HaystackLength {
    /// How the tokens of a prompt are counted.
    enum Counting: Sendable, Equatable {
        /// The server counts each prompt.
        case exact
        /// The count is estimated from the size of the text in bytes: by a straight line through the server's counts for two
        /// prompts, or with an assumed number of bytes per token.
        case estimated(base: Double, perByte: Double)
    }

    /// The maximum number of prompts that are counted for one result.
    private static let mostCounts = 12

    /// Returns the largest number of sentences with which the prompt has at most `budget` tokens, or a number that leaves at most
    /// 1 % of the budget unused.
    ///
    /// - Parameters:
    ///   - budget: the maximum number of tokens of the prompt.
    ///   - guess: the number of sentences at which the search begins.
    ///   - count: returns the number of tokens of the prompt with a number of sentences.
    /// - Returns: `nil` if the prompt is too long even without sentences.
    /// - Throws: the errors of `count`; `RequestFailure.reply` if a sentence has less than one token on average, because with
    ///   such counts the prompt could have any size.
    static func sentences(
        budget: Int, guess: Int, count: (Int) throws(RequestFailure) -> Int
    ) throws(RequestFailure) -> Int? {
        let empty = try count(0)
        guard empty <= budget else { return nil }
        // `low` fits, `high` does not. The counts are nearly linear between counted points.
        var low = (sentences: 0, tokens: empty)
        var high: (sentences: Int, tokens: Int)?
        var next = min(max(guess, 1), max(budget, 1))
        for _ in 0..<mostCounts {
            let tokens = try count(next)
            guard tokens - empty >= next else {
                throw .reply("counts \(tokens) tokens with \(next) sentences and \(empty) without them")
            }
            if tokens <= budget { low = (next, tokens) } else { high = (next, tokens) }
            if budget - low.tokens <= budget / 100 { break }
            if let high {
                guard high.sentences - low.sentences > 1 else { break }
                let slope = Double(high.tokens - low.tokens) / Double(high.sentences - low.sentences)
                let step = Int(Double(budget - low.tokens) / slope)
                next = min(max(low.sentences + step, low.sentences + 1), high.sentences - 1)
            } else {
                let slope = Double(low.tokens - empty) / Double(low.sentences)
                next = low.sentences + max(Int(Double(budget - low.tokens) / slope), 1)
            }
        }
        return low.sentences
    }
}
