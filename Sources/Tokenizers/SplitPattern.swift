import Basics

/// The patterns of `Split` pre-tokenizers. Most have a hand-written scanner.
///
/// A scanner is selected by the exact text of the regular expression. Other expressions use a general engine, which is much
/// slower.
enum SplitPattern: Sendable {
    case literal([UInt8])
    /// Words, numbers, punctuation and white space, each with one space before it (GPT-2).
    case gpt2
    /// Like GPT-2, but newlines are separate and numbers are split into groups of at most `digits` (Llama 3: 3, Qwen 2: 1). Words
    /// consist of `letters`, which include marks in Qwen 3.5.
    case llama3(letters: CharacterClass, digits: Int)
    /// Like Llama 3, but words are split where upper case follows lower case (o200k, Tekken).
    case o200k
    /// Words with marks, punctuation and white space. Numbers and control characters are in the gaps (DeepSeek-V3).
    case deepSeekV3
    /// The longest possible groups of the characters, at most `atMost` long.
    case groups(of: CharacterClass, atMost: Int)
    /// Runs of the characters, each with one preceding white space character.
    case spacedRuns(of: CharacterClass)
    /// Each CR and each LF.
    case newline
    /// Decimal digits in groups of three from the right: 1234567 is 1, 234, 567. With `wordEnd`, only at the end of a word.
    case digitTriples(wordEnd: Bool)
    /// The empty positions before groups of three digits, counted from the right.
    case digitTripleBoundaries
    /// Runs of code points in the ranges.
    case ranges([ClosedRange<UInt32>])
    /// A pattern without a scanner.
    case regex(RegexPattern)

    /// Parses `{"String": ...}` or `{"Regex": ...}`.
    init(parsing member: TokenizerMember) throws(TokenizerError) {
        if member["String"].value.string != nil {
            self = .literal(try TokenizerLimits.literal(member["String"]))
            return
        }
        let text = try member["Regex"].string
        if let scanner = SplitPattern(regex: text) {
            self = scanner
            return
        }
        do throws(RegexDialect.Unsupported) { self = .regex(try RegexPattern(text)) } catch {
            throw member["Regex"].unsupported(error.construct)
        }
    }

    /// Returns the scanner for the regular expression `text`, or `nil` if there is none.
    init?(regex text: String) {
        if let known = SplitPattern.known[Array(text.utf8)] {
            self = known
        } else if let ranges = SplitPattern.parseRanges(text) {
            self = .ranges(ranges)
        } else {
            return nil
        }
    }

    /// The scanners by regular expression.
    static let known: [[UInt8]: SplitPattern] = {
        let whitespace = #"\s+(?!\S)|\s+"#
        let newlines = #"[\r\n]*|\s*[\r\n]+|"#
        let contractions = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"#
        let asciiWords = ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"##
        let caseless = #"\p{Lm}\p{Lo}\p{M}]"#
        let contractionSuffix = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"#
        let patterns: [(String, SplitPattern)] = [
            (#"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|"# + whitespace, .gpt2),
            (
                contractions + #"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+"# + newlines + whitespace,
                .llama3(letters: .letter, digits: 3)
            ),
            (contractions + #"\p{N}| ?[^\s\p{L}\p{N}]+"# + newlines + whitespace, .llama3(letters: .letter, digits: 1)),
            (
                #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+"#
                    + newlines + whitespace, .llama3(letters: [.letter, .mark], digits: 1)
            ),
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
            (#"\d+"#, .groups(of: .decimalDigit, atMost: .max)),
            (#"\p{N}+"#, .groups(of: .number, atMost: .max)),
            (#"\p{Nd}{1,3}(?=(?:\p{Nd}{3})*(?!\p{Nd}))"#, .digitTriples(wordEnd: false)),
            (#"\d{1,3}(?=(?:\d{3})*(?!\d))"#, .digitTriples(wordEnd: false)),
            (#"\d{1,3}(?=(?:\d{3})*\b)"#, .digitTriples(wordEnd: true)),
            (#"(?=(?:\p{Nd}{3})+(?!\p{Nd}))"#, .digitTripleBoundaries),
            (#"(?=(?:\d{3})+(?!\d))"#, .digitTripleBoundaries),
            (#"(?=(\d{3})+(?!\d))"#, .digitTripleBoundaries),
        ]
        return Dictionary(uniqueKeysWithValues: patterns.map { (Array($0.utf8), $1) })
    }()

    /// Passes the matches inside the piece to `body`, in order and without overlap. Some patterns have empty matches.
    func forEachMatch(in text: PieceReader, _ body: (Range<Int>) -> Void) {
        typealias Pattern = SplitPattern
        switch self {
        case .literal(let content): Pattern.forEachLiteral(content, in: text, body)
        case .gpt2: Pattern.scan(text, body) { Pattern.endOfGPT2Match(in: $0, at: $1) }
        case .llama3(let letters, let digits):
            Pattern.scan(text, body) { Pattern.endOfLlama3Match(in: $0, at: $1, letters: letters, digits: digits) }
        case .o200k: Pattern.scan(text, body) { Pattern.endOfO200kMatch(in: $0, at: $1) }
        case .deepSeekV3: Pattern.scan(text, body) { Pattern.endOfDeepSeekV3Match(in: $0, at: $1) }
        case .groups(let members, let limit):
            Pattern.scan(text, body) { $0.endOfRun(of: members, from: $1, atMost: limit) }
        case .spacedRuns(let members):
            Pattern.scan(text, body) { Pattern.endOfSpacedRun(in: $0, at: $1, of: members) }
        case .newline: Pattern.scan(text, body) { $0.isNewline(at: $1) ? $1 + 1 : $1 }
        case .digitTriples(let wordEnd): Pattern.forEachDigitTriple(in: text, wordEnd: wordEnd, body)
        case .digitTripleBoundaries: Pattern.forEachDigitTripleBoundary(in: text, body)
        case .ranges(let ranges): Pattern.scan(text, body) { Pattern.endOfRun(in: $0, at: $1, of: ranges) }
        case .regex(let regex): regex.forEachMatch(in: text, body)
        }
    }

    /// Returns the text with each match replaced with `content`.
    func replaceMatches(in text: [UInt8], with content: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var end = 0
        text.withReader { reader in
            forEachMatch(in: reader) { match in
                result += text[end..<match.lowerBound]
                result += content
                end = match.upperBound
            }
        }
        result += text[end...]
        return result
    }

    /// Less than ``Cancellation/checkpointBytes``, because a match of a few bytes takes more time than a long run.
    static let checkpointBytes = 1 << 14

    /// Calls `end` at each character that is not part of a match. `end` returns the position itself if there is no match.
    @inline(__always)
    private static func scan(_ text: PieceReader, _ body: (Range<Int>) -> Void, end: (PieceReader, Int) -> Int) {
        var position = text.piece.lowerBound
        var checkpoint = position + checkpointBytes
        while position < text.piece.upperBound {
            if position >= checkpoint {
                checkpoint = position + checkpointBytes
                if Cancellation.isRequested { return }
            }
            let next = end(text, position)
            if next > position {
                body(position..<next)
                position = next
            } else {
                position += text.scalar(at: position).length
            }
        }
    }

    private static func forEachLiteral(_ content: [UInt8], in text: PieceReader, _ body: (Range<Int>) -> Void) {
        guard let first = content.first else { return }
        scan(text, body) { text, position in
            let end = position + content.count
            guard text.bytes[position] == first, end <= text.piece.upperBound else { return position }
            return text.bytes[position..<end].elementsEqual(content) ? end : position
        }
    }
}
