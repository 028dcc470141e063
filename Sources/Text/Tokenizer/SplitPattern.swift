/// The patterns by which `Split` pre-tokenizers cut text, a hand-written scanner each.
///
/// A scanner is chosen by the exact text of the regular expression. An unknown expression is refused: a general engine
/// differs from the reference's in its Unicode version and its dialect, and would cut some texts elsewhere in silence.
enum SplitPattern: Sendable, Hashable {
    case literal([UInt8])
    /// Words, numbers, punctuation and white space, each with one space before it (GPT-2).
    case gpt2
    /// As GPT-2, with newlines apart and numbers in groups of at most `digits` (Llama 3: 3, Qwen 2: 1).
    case llama3(digits: Int)
    /// As Llama 3, with words cut where lower case is followed by upper case (o200k, Tekken).
    case o200k
    /// Words with marks, punctuation and white space; numbers and control characters stay in the gaps (DeepSeek-V3).
    case deepSeekV3
    /// Groups of `characters`, each of at most `limit` and as long as can be.
    case groups(of: CharacterClass, atMost: Int)
    /// Runs of `members`, each with one white space before it.
    case spacedRuns(of: CharacterClass)
    /// CR and LF, each alone.
    case newline
    /// Decimal digits in threes from the right: 1234567 is 1, 234, 567.
    case digitTriples
    /// The empty places in front of every three digits, counted from the right.
    case digitTripleBoundaries
    /// Runs of the code points inside any of the ranges.
    case ranges([ClosedRange<UInt32>])

    /// The scanner of the regular expression `text`; `nil` when there is none.
    init?(regex text: String) {
        if let known = SplitPattern.known[Array(text.utf8)] {
            self = known
        } else if let ranges = SplitPattern.parseRanges(text) {
            self = .ranges(ranges)
        } else {
            return nil
        }
    }

    /// Scanners by regular expression.
    static let known: [[UInt8]: SplitPattern] = {
        let whitespace = #"\s+(?!\S)|\s+"#
        let newlines = #"[\r\n]*|\s*[\r\n]+|"#
        let contractions = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"#
        let asciiWords = ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"##
        let caseless = #"\p{Lm}\p{Lo}\p{M}]"#
        let contractionSuffix = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"#
        let patterns: [(String, SplitPattern)] = [
            (#"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|"# + whitespace, .gpt2),
            (contractions + #"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+"# + newlines + whitespace, .llama3(digits: 3)),
            (contractions + #"\p{N}| ?[^\s\p{L}\p{N}]+"# + newlines + whitespace, .llama3(digits: 1)),
            (
                asciiWords + #"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+"# + newlines + whitespace,
                .deepSeekV3
            ),
            (
                #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}"# + caseless + #"*[\p{Ll}"# + caseless + "+" + contractionSuffix
                    + #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}"# + caseless + #"+[\p{Ll}"# + caseless + "*"
                    + contractionSuffix + #"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|"# + whitespace, .o200k
            ),
            (#"\s?\p{L}+"#, .spacedRuns(of: .letter)),
            (#"\s?\p{P}+"#, .spacedRuns(of: .punctuation)),
            (#"[\r\n]"#, .newline),
            ("[\r\n]", .newline),
            (#"\p{N}{1,3}"#, .groups(of: .number, atMost: 3)),
            (#"\p{N}"#, .groups(of: .number, atMost: 1)),
            (#"\p{Nd}+"#, .groups(of: .decimalDigit, atMost: .max)),
            (#"\p{Nd}{1,3}(?=(?:\p{Nd}{3})*(?!\p{Nd}))"#, .digitTriples),
            (#"(?=(?:\p{Nd}{3})+(?!\p{Nd}))"#, .digitTripleBoundaries),
        ]
        return Dictionary(uniqueKeysWithValues: patterns.map { (Array($0.utf8), $1) })
    }()

    /// All matches inside the piece, in order and without overlap; some patterns match at empty places.
    func matches(in text: PieceReader) -> [Range<Int>] {
        switch self {
        case .literal(let content): SplitPattern.literalMatches(of: content, in: text)
        case .gpt2: SplitPattern.matches(in: text) { SplitPattern.endOfGPT2Match(in: $0, at: $1) }
        case .llama3(let digits):
            SplitPattern.matches(in: text) { SplitPattern.endOfLlama3Match(in: $0, at: $1, digits: digits) }
        case .o200k: SplitPattern.matches(in: text) { SplitPattern.endOfO200kMatch(in: $0, at: $1) }
        case .deepSeekV3: SplitPattern.matches(in: text) { SplitPattern.endOfDeepSeekV3Match(in: $0, at: $1) }
        case .groups(let members, let limit):
            SplitPattern.matches(in: text) { $0.endOfRun(of: members, from: $1, atMost: limit) }
        case .spacedRuns(let members):
            SplitPattern.matches(in: text) { SplitPattern.endOfSpacedRun(in: $0, at: $1, of: members) }
        case .newline: SplitPattern.matches(in: text) { $0.isNewline(at: $1) ? $1 + 1 : $1 }
        case .digitTriples: SplitPattern.digitTriples(in: text)
        case .digitTripleBoundaries: SplitPattern.digitTripleBoundaries(in: text)
        case .ranges(let ranges): SplitPattern.matches(in: text) { SplitPattern.endOfRun(in: $0, at: $1, of: ranges) }
        }
    }

    /// Tries `end` at every character that no match has taken; it answers the position itself for no match.
    private static func matches(in text: PieceReader, end: (PieceReader, Int) -> Int) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var position = text.piece.lowerBound
        while position < text.piece.upperBound {
            let next = end(text, position)
            if next > position {
                result.append(position..<next)
                position = next
            } else {
                position += text.scalar(at: position).length
            }
        }
        return result
    }

    private static func literalMatches(of content: [UInt8], in text: PieceReader) -> [Range<Int>] {
        guard !content.isEmpty else { return [] }
        return matches(in: text) { text, position in
            let end = position + content.count
            return end <= text.piece.upperBound && text.bytes[position..<end] == content[...] ? end : position
        }
    }
}
