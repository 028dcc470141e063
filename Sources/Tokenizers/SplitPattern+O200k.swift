import Basics

/// The pattern of o200k and Tekken, in which capitals after lower case begin a new word: "HTTPServer's" is one word, but
/// "parseHTTP" is split into "parse" and "HTTP".
extension SplitPattern {
    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`.
    private static let upper: CharacterClass = [.uppercase, .uncased, .mark]
    /// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
    private static let lower: CharacterClass = [.lowercase, .uncased, .mark]

    static func endOfO200kMatch(in text: PieceReader, at position: Int) -> Int {
        if let end = endOfCasedWord(in: text, at: position) {
            return endOfContraction(in: text, at: end, ignoringCase: true)
        }
        let number = text.endOfRun(of: .number, from: position, atMost: 3)
        if number > position { return number }
        let start = text.byte(at: position) == UInt8(ascii: " ") ? position + 1 : position
        let end = text.endOfRun(of: neitherSpaceNorWord, from: start)
        if end > start {
            return text.endOfBytes(from: end) { $0 == 0x0A || $0 == 0x0D || $0 == UInt8(ascii: "/") }
        }
        return endOfWhitespace(in: text, at: position, newlinesApart: true)
    }

    /// Matches both alternatives for words, each first with and then without one other character before the word.
    private static func endOfCasedWord(in text: PieceReader, at position: Int) -> Int? {
        let (kind, length) = text.character(at: position)
        let mayPrefix = wordStart.intersects(kind) && !text.isNewline(at: position)
        let starts = mayPrefix ? [position + length, position] : [position]
        for start in starts {
            if let end = endOfLowerWord(in: text, from: start) { return end }
        }
        for start in starts {
            let end = text.endOfRun(of: upper, from: start)
            if end > start { return text.endOfRun(of: lower, from: end) }
        }
        return nil
    }

    /// Matches `upper*lower+`. If no lower case follows the run of upper case, the run is shortened until it ends with a
    /// character that is also in `lower`.
    private static func endOfLowerWord(in text: PieceReader, from start: Int) -> Int? {
        var end = text.endOfRun(of: upper, from: start)
        let lowerEnd = text.endOfRun(of: lower, from: end)
        if lowerEnd > end { return lowerEnd }
        var steps = 0
        while end > start {
            steps &+= 1
            if steps % (1 << 14) == 0, Cancellation.isRequested { return end }
            let last = text.start(before: end)
            if lower.intersects(text.character(at: last).class) { return end }
            end = last
        }
        return nil
    }
}
