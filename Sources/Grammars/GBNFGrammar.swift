import Basics

/// GBNF, llama.cpp's notation of grammars, which vLLM's `grammar` also accepts: rules `name ::= ...` of literals, character
/// classes, groups, alternatives and repetitions; the start rule is `root`.
///
/// A rule may continue on the next line. Left-recursive rules and references to single tokens are refused.
struct GBNFGrammar {
    private let scalars: [Unicode.Scalar]
    /// Swapped with the caller's: copying it would take time proportional to its size.
    private var builder = GrammarBuilder()
    /// The rules of the character sets so far.
    private var written: [CharacterRanges: GrammarBuilder.Part] = [:]
    private var index = 0
    private var depth = 0
    private var checkpoint = CancellationCheck()
    /// By name; declared when they first occur.
    private var rules: [String: Int] = [:]
    private var defined: Set<String> = []

    private static let mostDepth = 100
    private static let mostRepetitions = 10_000

    /// The part for `root`.
    ///
    /// - Throws: `GrammarError` with the line of the error.
    static func part(_ text: String, _ builder: inout GrammarBuilder) throws(GrammarError) -> GrammarBuilder.Part {
        var parser = GBNFGrammar(scalars: Array(text.unicodeScalars))
        swap(&parser.builder, &builder)
        defer { swap(&parser.builder, &builder) }
        parser.skipSpace()
        while parser.next != nil {
            try parser.rule()
            if Cancellation.isRequested { throw .cancelled }
        }
        for name in parser.rules.keys.sorted() where !parser.defined.contains(name) {
            throw GrammarError(path: "", reason: "uses the rule '\(name.prefix(80))', which it does not define")
        }
        guard let root = parser.rules["root"] else {
            throw GrammarError(path: "", reason: "has no rule 'root'")
        }
        return .rule(root)
    }

    private init(scalars: [Unicode.Scalar]) {
        self.scalars = scalars
    }

    private var next: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private func error(_ reason: String) -> GrammarError {
        let line = scalars.prefix(index).count { $0 == "\n" } + 1
        return GrammarError(path: "", reason: "\(reason) (line \(line))")
    }

    private mutating func take(_ text: String) -> Bool {
        var end = index
        for scalar in text.unicodeScalars {
            guard end < scalars.count, scalars[end] == scalar else { return false }
            end += 1
        }
        index = end
        return true
    }

    /// White space and comments.
    private mutating func skipSpace() { index = spaceEnd(from: index) }

    private func spaceEnd(from start: Int) -> Int {
        var (end, isComment) = (start, false)
        var checkpoint = CancellationCheck()
        while end < scalars.count {
            // The caller detects the cancellation, too.
            if checkpoint.mustStop() { return scalars.count }
            switch scalars[end] {
            case "\n": isComment = false
            case " ", "\t", "\r": break
            case "#": isComment = true
            default: guard isComment else { return end }
            }
            end += 1
        }
        return end
    }

    private mutating func name() -> String? {
        let end = nameEnd
        guard end > index else { return nil }
        defer { index = end }
        return String(decoding: scalars[index..<end].lazy.map { UInt8($0.value) }, as: UTF8.self)
    }

    /// The index after the next name.
    private var nameEnd: Int {
        var end = index
        while end < scalars.count {
            switch scalars[end] {
            case "a"..."z", "A"..."Z", "0"..."9", "-", "_": end += 1
            default: return end
            }
        }
        return end
    }

    /// Whether another rule begins here.
    private var isAtRule: Bool {
        let end = nameEnd
        guard end > index else { return false }
        return scalars[spaceEnd(from: end)...].starts(with: [":", ":", "="])
    }

    private mutating func number(of name: String) -> Int {
        if let number = rules[name] { return number }
        let number = builder.declare()
        rules[name] = number
        return number
    }

    private mutating func rule() throws(GrammarError) {
        guard let name = name() else { throw error("has no rule name where one is expected") }
        skipSpace()
        guard take("::=") else { throw error("has no '::=' after '\(name.prefix(80))'") }
        guard defined.insert(name).inserted else { throw error("defines '\(name.prefix(80))' twice") }
        let rule = number(of: name)
        skipSpace()
        let body = try alternatives()
        guard next == nil || isAtRule else {
            throw error("has unexpected input after rule '\(name.prefix(80))'")
        }
        try builder.define(rule, body)
    }

    private mutating func alternatives() throws(GrammarError) -> GrammarBuilder.Part {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else { throw error("nests more than \(Self.mostDepth) groups") }
        var choices = [try sequence()]
        while take("|") {
            if checkpoint.mustStop() { throw .cancelled }
            skipSpace()
            choices.append(try sequence())
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence() throws(GrammarError) -> GrammarBuilder.Part {
        var parts: [GrammarBuilder.Part] = []
        while let scalar = next, scalar != "|", scalar != ")", !isAtRule {
            if checkpoint.mustStop() { throw .cancelled }
            let item = try item()
            parts.append(try repeated(item))
            skipSpace()
        }
        return .sequence(parts)
    }

    private mutating func item() throws(GrammarError) -> GrammarBuilder.Part {
        switch next {
        case "\"":
            index += 1
            var text = String.UnicodeScalarView()
            while let scalar = next, scalar != "\"" {
                if checkpoint.mustStop() { throw .cancelled }
                text.append(try character(scalar))
            }
            guard take("\"") else { throw error("has an unterminated literal") }
            return builder.markedText(String(text))
        case "[":
            index += 1
            return try part(try characterClass())
        case ".":
            index += 1
            return try part(.all)
        case "(":
            index += 1
            skipSpace()
            let body = try alternatives()
            guard take(")") else { throw error("has an unclosed '('") }
            return body
        default:
            guard let name = name() else {
                throw error("has '\(next.map { String($0) } ?? "")', which is not part of a rule")
            }
            return .rule(number(of: name))
        }
    }

    private mutating func repeated(_ item: GrammarBuilder.Part) throws(GrammarError) -> GrammarBuilder.Part {
        if take("*") { return .times(item, least: 0, most: nil) }
        if take("+") { return .times(item, least: 1, most: nil) }
        if take("?") { return .optional(item) }
        guard take("{") else { return item }
        guard let least = count() else { throw error("has a repetition without a number") }
        var most: Int? = least
        if take(",") { most = count() }
        guard take("}") else { throw error("has an unclosed '{'") }
        guard least <= Self.mostRepetitions, most ?? 0 <= Self.mostRepetitions else {
            throw error("repeats more than \(Self.mostRepetitions) times")
        }
        if let most, most < least { throw error("has a repetition whose bounds are in the wrong order") }
        return .times(item, least: least, most: most)
    }

    /// The part for one of some characters: one rule, regardless of how often they occur.
    private mutating func part(_ ranges: CharacterRanges) throws(GrammarError) -> GrammarBuilder.Part {
        if let part = written[ranges] { return part }
        if written.count & 255 == 255, Cancellation.isRequested { throw .cancelled }
        var part = ranges.utf8
        if case .choice = part { part = try builder.rule(part) }
        written[ranges] = part
        return part
    }

    private mutating func count() -> Int? {
        let digits = scalars[index...].prefix { ("0"..."9").contains($0) }
        index += digits.count
        // A number that is too large for an Int is also too large for a repetition.
        return digits.isEmpty ? nil : Int(String(String.UnicodeScalarView(digits))) ?? .max
    }

    private mutating func characterClass() throws(GrammarError) -> CharacterRanges {
        let isNegated = take("^")
        var sets: [CharacterRanges] = []
        while let scalar = next, scalar != "]" {
            if checkpoint.mustStop() { throw .cancelled }
            CharacterRanges.unite(&sets)
            let low = try character(scalar)
            var high = low
            if next == "-", index + 1 < scalars.count, scalars[index + 1] != "]" {
                index += 1
                high = try character(scalars[index])
            }
            guard low <= high else { throw error("has a range in the wrong order") }
            sets.append(CharacterRanges(low.value...high.value))
        }
        guard take("]") else { throw error("has an unclosed '['") }
        let union = CharacterRanges(unionOf: sets)
        let ranges = isNegated ? CharacterRanges.all.subtracting(union) : union
        guard !ranges.ranges.isEmpty else { throw error("has an empty character class") }
        return ranges
    }

    /// The character that begins with `scalar`, which comes next.
    private mutating func character(_ scalar: Unicode.Scalar) throws(GrammarError) -> Unicode.Scalar {
        index += 1
        guard scalar == "\\" else { return scalar }
        guard let escaped = next else { throw error("ends with a backslash") }
        index += 1
        switch escaped {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "U": return try hexadecimal(8)
        case "\"", "\\", "[", "]", "-", "^": return escaped
        default: throw error("has the escape '\\\(escaped)', which is unknown")
        }
    }

    private mutating func hexadecimal(_ count: Int) throws(GrammarError) -> Unicode.Scalar {
        let digits = scalars[index...].prefix(count)
        guard digits.count == count, let value = UInt32(String(String.UnicodeScalarView(digits)), radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw error("has an escape that is not a character") }
        index += count
        return scalar
    }
}
