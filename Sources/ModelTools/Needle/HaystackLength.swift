/// How many sentences of haystack make a prompt of a wanted number of tokens.
enum HaystackLength {
    /// How the tokens of a prompt are known.
    enum Counting: Sendable, Equatable {
        /// The server counts each prompt.
        case exact
        /// From the bytes of its text, by a straight line through what the server said about two prompts.
        case estimated(base: Double, perByte: Double)
    }

    /// The most prompts that are counted for one result.
    private static let mostCounts = 12

    /// The largest number of sentences with which the prompt has at most `budget` tokens, or one that leaves at most 1 % of the
    /// budget unused.
    ///
    /// - Parameters:
    ///   - budget: the wanted tokens of the prompt.
    ///   - guess: where the search begins, in sentences.
    ///   - count: the tokens of the prompt with so many sentences.
    /// - Returns: `nil` if the prompt without any sentence is too long.
    /// - Throws: what `count` throws; `RequestFailure.reply` if sentences have less than one token each, since a prompt for such a
    ///   count could be of any size.
    static func sentences(
        budget: Int, guess: Int, count: (Int) throws(RequestFailure) -> Int
    ) throws(RequestFailure) -> Int? {
        let empty = try count(0)
        guard empty <= budget else { return nil }
        // low fits, high does not; the lines between counted points are nearly straight.
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
