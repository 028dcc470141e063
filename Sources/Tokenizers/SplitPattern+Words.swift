import Basics

/// The main patterns of byte-level vocabularies.
///
/// Each function returns the end of the match at `position`, which must be inside the piece, or `position` itself if there is no
/// match. The alternatives are tried in the order of the regular expression.
extension SplitPattern {
    static let wordStart = CharacterClass.any.subtracting([.letter, .number])
    static let neitherSpaceNorWord = CharacterClass.any.subtracting([.space, .letter, .number])
    private static let letterOrMark: CharacterClass = [.letter, .mark]
    private static let punctuationOrSymbol: CharacterClass = [.punctuation, .symbol]
    private static let markedWordStart = CharacterClass.any.subtracting([.letter, .punctuation, .symbol])

    static func endOfGPT2Match(in text: PieceReader, at position: Int) -> Int {
        let contraction = endOfContraction(in: text, at: position, ignoringCase: false)
        if contraction > position { return contraction }
        let start = text.byte(at: position) == UInt8(ascii: " ") ? position + 1 : position
        let kind = text.character(at: start).class
        for members in [CharacterClass.letter, .number, neitherSpaceNorWord] where members.intersects(kind) {
            return text.endOfRun(of: members, from: start)
        }
        return endOfWhitespace(in: text, at: position, newlinesApart: false)
    }

    /// - Parameter letters: the characters of words. One other character may precede them.
    static func endOfLlama3Match(
        in text: PieceReader, at position: Int, letters: CharacterClass, digits: Int
    ) -> Int {
        let contraction = endOfContraction(in: text, at: position, ignoringCase: true)
        if contraction > position { return contraction }
        let (kind, length) = text.character(at: position)
        if letters.intersects(kind) { return text.endOfRun(of: letters, from: position) }
        if CharacterClass.number.intersects(kind) {
            return text.endOfRun(of: .number, from: position, atMost: digits)
        }
        if !text.isNewline(at: position) {
            let end = text.endOfRun(of: letters, from: position + length)
            if end > position + length { return end }
        }
        let start = text.byte(at: position) == UInt8(ascii: " ") ? position + 1 : position
        let end = text.endOfRun(of: neitherSpaceNorWord.subtracting(letters), from: start)
        if end > start { return text.endOfNewlines(from: end) }
        return endOfWhitespace(in: text, at: position, newlinesApart: true)
    }

    static func endOfDeepSeekV3Match(in text: PieceReader, at position: Int) -> Int {
        if isASCIIPunctuation(text.bytes[position]) {
            let end = endOfASCIILetters(in: text, from: position + 1)
            if end > position + 1 { return end }
        }
        let (kind, length) = text.character(at: position)
        if letterOrMark.intersects(kind) { return text.endOfRun(of: letterOrMark, from: position) }
        if markedWordStart.intersects(kind), !text.isNewline(at: position) {
            let end = text.endOfRun(of: letterOrMark, from: position + length)
            if end > position + length { return end }
        }
        let start = text.byte(at: position) == UInt8(ascii: " ") ? position + 1 : position
        let end = text.endOfRun(of: punctuationOrSymbol, from: start)
        if end > start { return text.endOfNewlines(from: end) }
        return endOfWhitespace(in: text, at: position, newlinesApart: true)
    }

    /// Matches `\s?` and a run of `members`.
    static func endOfSpacedRun(in text: PieceReader, at position: Int, of members: CharacterClass) -> Int {
        let (kind, length) = text.character(at: position)
        let start = CharacterClass.space.intersects(kind) ? position + length : position
        let end = text.endOfRun(of: members, from: start)
        return end > start ? end : position
    }

    /// Matches `\s*[\r\n]+` if `newlinesApart`, then `\s+(?!\S)|\s+`. The match is the white space up to the last newline of the
    /// run. Without a newline, it is all but the last character, which belongs to the next word, unless the piece ends or there
    /// is only one character.
    static func endOfWhitespace(in text: PieceReader, at position: Int, newlinesApart: Bool) -> Int {
        var end = position
        var endOfLastNewline = position
        var steps = 0
        while case (let kind, let length) = text.character(at: end), CharacterClass.space.intersects(kind) {
            if text.isNewline(at: end) { endOfLastNewline = end + 1 }
            end += length
            steps &+= 1
            if steps % (1 << 14) == 0, Cancellation.isRequested { return end }
        }
        if newlinesApart, endOfLastNewline > position { return endOfLastNewline }
        guard end > position, end < text.piece.upperBound else { return end }
        let last = text.start(before: end)
        return last > position ? last : end
    }

    /// Matches `'s|'t|'re|'ve|'m|'ll|'d`. When ignoring case, the long s (U+017F) is an s.
    static func endOfContraction(in text: PieceReader, at position: Int, ignoringCase: Bool) -> Int {
        guard text.byte(at: position) == UInt8(ascii: "'"), let first = text.byte(at: position + 1) else {
            return position
        }
        let second = text.byte(at: position + 2)
        let caseBit: UInt8 = ignoringCase ? 0x20 : 0
        switch (first | caseBit, second.map { $0 | caseBit }) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
            return position + 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return position + 3
        default:
            return ignoringCase && first == 0xC5 && second == 0xBF ? position + 3 : position
        }
    }

    private static func isASCIIPunctuation(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
        default: false
        }
    }

    private static func endOfASCIILetters(in text: PieceReader, from position: Int) -> Int {
        text.endOfBytes(from: position) { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) }
    }
}
