/// GBNF, llama.cpp's notation of grammars, in which vLLM's `grammar` is written too: rules `name ::= ...` of literals,
/// character classes, groups, alternatives and repetitions, the first of them `root`.
///
/// A rule may go on in the next line. Rules that begin with themselves are refused, and so are references to single tokens.
struct GBNFGrammar {
    private let scalars: [Unicode.Scalar]
    private var builder: GrammarBuilder
    private var index = 0
    private var depth = 0
    /// By name; declared when they are first met.
    private var rules: [String: Int] = [:]
    private var defined: Set<String> = []

    private static let mostDepth = 100
    private static let mostRepetitions = 10_000

    /// The part that `root` is.
    ///
    /// - Throws: `GrammarError` that names the line at fault.
    static func part(_ text: String, _ builder: inout GrammarBuilder) throws(GrammarError) -> GrammarBuilder.Part {
        var parser = GBNFGrammar(scalars: Array(text.unicodeScalars), builder: builder)
        parser.skipSpace()
        while parser.next != nil { try parser.rule() }
        for name in parser.rules.keys.sorted() where !parser.defined.contains(name) {
            throw GrammarError(path: "", reason: "uses the rule '\(name)', which it does not define")
        }
        guard let root = parser.rules["root"] else {
            throw GrammarError(path: "", reason: "has no rule 'root'")
        }
        builder = parser.builder
        return .rule(root)
    }

    private init(scalars: [Unicode.Scalar], builder: GrammarBuilder) {
        self.scalars = scalars
        self.builder = builder
    }

    private var next: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private func error(_ reason: String) -> GrammarError {
        let line = scalars.prefix(index).count { $0 == "\n" } + 1
        return GrammarError(path: "", reason: "\(reason) (line \(line))")
    }

    private mutating func take(_ text: String) -> Bool {
        guard scalars[index...].starts(with: text.unicodeScalars) else { return false }
        index += text.unicodeScalars.count
        return true
    }

    /// White space and comments.
    private mutating func skipSpace() {
        while let scalar = next {
            if scalar == "#" {
                while let scalar = next, scalar != "\n" {
                    _ = scalar
                    index += 1
                }
            } else if scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" {
                index += 1
            } else {
                return
            }
        }
    }

    private mutating func name() -> String? {
        var name = String.UnicodeScalarView()
        while let scalar = next, scalar.isASCII,
            scalar.properties.isAlphabetic || "0123456789-_".contains(Character(scalar))
        {
            name.append(scalar)
            index += 1
        }
        return name.isEmpty ? nil : String(name)
    }

    /// Whether what follows is the beginning of another rule.
    private var isAtRule: Bool {
        var ahead = self
        guard ahead.name() != nil else { return false }
        ahead.skipSpace()
        return ahead.take("::=")
    }

    private mutating func number(of name: String) -> Int {
        if let number = rules[name] { return number }
        let number = builder.declare()
        rules[name] = number
        return number
    }

    private mutating func rule() throws(GrammarError) {
        guard let name = name() else { throw error("has no rule's name where one should be") }
        skipSpace()
        guard take("::=") else { throw error("has no '::=' behind '\(name)'") }
        guard defined.insert(name).inserted else { throw error("defines '\(name)' twice") }
        let rule = number(of: name)
        skipSpace()
        let body = try alternatives()
        guard next == nil || isAtRule else { throw error("has something behind the rule '\(name)' that is none of it") }
        try builder.define(rule, body)
    }

    private mutating func alternatives() throws(GrammarError) -> GrammarBuilder.Part {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else { throw error("nests more than \(Self.mostDepth) groups") }
        var choices = [try sequence()]
        while take("|") {
            skipSpace()
            choices.append(try sequence())
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence() throws(GrammarError) -> GrammarBuilder.Part {
        var parts: [GrammarBuilder.Part] = []
        while let scalar = next, scalar != "|", scalar != ")", !isAtRule {
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
            while let scalar = next, scalar != "\"" { text.append(try character(scalar)) }
            guard take("\"") else { throw error("has a literal without its end") }
            return .text(String(text))
        case "[":
            index += 1
            return try characterClass().utf8
        case ".":
            index += 1
            return CharacterRanges.all.utf8
        case "(":
            index += 1
            skipSpace()
            let body = try alternatives()
            guard take(")") else { throw error("has a '(' without its ')'") }
            return body
        default:
            guard let name = name() else {
                throw error("has '\(next.map { String($0) } ?? "")', which is no part of a rule")
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
        guard take("}") else { throw error("has a '{' without its '}'") }
        guard least <= Self.mostRepetitions, most ?? 0 <= Self.mostRepetitions else {
            throw error("repeats more than \(Self.mostRepetitions) times")
        }
        if let most, most < least { throw error("has a repetition whose bounds are in the wrong order") }
        return .times(item, least: least, most: most)
    }

    private mutating func count() -> Int? {
        let digits = scalars[index...].prefix { ("0"..."9").contains($0) }
        index += digits.count
        // What is too large for a number is too large for a repetition.
        return digits.isEmpty ? nil : Int(String(String.UnicodeScalarView(digits))) ?? .max
    }

    private mutating func characterClass() throws(GrammarError) -> CharacterRanges {
        let isNegated = take("^")
        var ranges = CharacterRanges()
        while let scalar = next, scalar != "]" {
            let low = try character(scalar)
            var high = low
            if next == "-", index + 1 < scalars.count, scalars[index + 1] != "]" {
                index += 1
                high = try character(scalars[index])
            }
            guard low <= high else { throw error("has a range in the wrong order") }
            ranges.formUnion(CharacterRanges(low.value...high.value))
        }
        guard take("]") else { throw error("has a '[' without its ']'") }
        ranges = isNegated ? .all.subtracting(ranges) : ranges
        guard !ranges.ranges.isEmpty else { throw error("has a class of no characters") }
        return ranges
    }

    /// The character that `scalar`, the next one, begins.
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
        default: throw error("has the escape '\\\(escaped)', which is none")
        }
    }

    private mutating func hexadecimal(_ count: Int) throws(GrammarError) -> Unicode.Scalar {
        let digits = scalars[index...].prefix(count)
        guard digits.count == count, let value = UInt32(String(String.UnicodeScalarView(digits)), radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw error("has an escape that is no character") }
        index += count
        return scalar
    }
}
