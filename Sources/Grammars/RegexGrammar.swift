import Basics

/// Regular expressions as parts of a grammar. Characters are written either as they are, or escaped inside a JSON string.
///
/// Supports the features of ECMAScript that JSON Schema's patterns use: characters, classes, groups, alternatives, quantifiers,
/// and anchors at both ends. Lookaround, back references, word boundaries and Unicode properties are refused.
struct RegexGrammar {
    /// How a set of characters is written as bytes.
    typealias Writer = (CharacterRanges) -> GrammarBuilder.Part

    private let pattern: [Unicode.Scalar]
    private let write: Writer
    /// Whether `.` matches line breaks, too.
    private let dotMatchesAll: Bool
    /// Swapped with the caller's: copying it would take time proportional to its size.
    private var builder = GrammarBuilder()
    /// The rules of the character sets so far.
    private var written: [CharacterRanges: GrammarBuilder.Part] = [:]
    private var index = 0
    private var depth = 0
    private var checkpoint = CancellationCheck()

    private static let mostDepth = 100
    private static let mostRepetitions = 10_000

    /// O(length * log(length)).
    ///
    /// - Parameters:
    ///   - searches: whether the pattern may match anywhere in the text, as in JSON Schema, unless anchors prevent it;
    ///     otherwise the whole text must match.
    ///   - dotMatchesAll: whether `.` matches line breaks, too.
    /// - Throws: `GrammarError` that names what is not supported.
    static func part(
        _ pattern: String, searches: Bool, dotMatchesAll: Bool = false, _ builder: inout GrammarBuilder,
        write: @escaping Writer
    ) throws(GrammarError) -> GrammarBuilder.Part {
        var scalars = Array(pattern.unicodeScalars)
        var (begins, ends) = (!searches, !searches)
        if scalars.first == "^" {
            begins = true
            scalars.removeFirst()
        }
        if scalars.last == "$", scalars.dropLast().reversed().prefix(while: { $0 == "\\" }).count % 2 == 0 {
            ends = true
            scalars.removeLast()
        }
        var parser = RegexGrammar(pattern: scalars, write: write, dotMatchesAll: dotMatchesAll)
        swap(&parser.builder, &builder)
        defer { swap(&parser.builder, &builder) }
        let isAlternative = scalars.contains("|")
        let body = try parser.alternatives()
        guard parser.index == scalars.count else { throw parser.error("has an unmatched ')'") }
        // In "^a|b$" each anchor would belong to one alternative only.
        if isAlternative, begins != ends || searches && begins, !parser.isOneGroup {
            throw parser.error("has anchors beside alternatives; put the alternatives into a group")
        }
        let anything = begins && ends ? .nothing : GrammarBuilder.Part.times(try parser.part(.all), least: 0, most: nil)
        return .sequence((begins ? [] : [anything]) + [body] + (ends ? [] : [anything]))
    }

    /// Whether the whole pattern is one group, or all of its alternatives are inside groups.
    private var isOneGroup: Bool {
        var level = 0
        var (isEscaped, isInClass) = (false, false)
        var checkpoint = CancellationCheck()
        for scalar in pattern {
            if checkpoint.mustStop() { break }
            if isEscaped {
                isEscaped = false
                continue
            }
            switch scalar {
            case "\\": isEscaped = true
            case "[": isInClass = true
            case "]": isInClass = false
            case "(" where !isInClass: level += 1
            case ")" where !isInClass: level -= 1
            case "|" where !isInClass && level == 0: return false
            default: break
            }
        }
        return true
    }

    private init(pattern: [Unicode.Scalar], write: @escaping Writer, dotMatchesAll: Bool) {
        self.pattern = pattern
        self.write = write
        self.dotMatchesAll = dotMatchesAll
    }

    /// The part for one of some characters: one rule, regardless of how often they occur.
    private mutating func part(_ ranges: CharacterRanges) throws(GrammarError) -> GrammarBuilder.Part {
        if let part = written[ranges] { return part }
        if written.count & 255 == 255, Cancellation.isRequested { throw .cancelled }
        var part = write(ranges)
        if case .choice = part { part = try builder.rule(part) }
        written[ranges] = part
        return part
    }

    private func error(_ reason: String) -> GrammarError {
        GrammarError(
            path: "", reason: "\(reason): '\(String(String.UnicodeScalarView(pattern.prefix(80))))'")
    }

    private var next: Unicode.Scalar? { index < pattern.count ? pattern[index] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        index += 1
        return true
    }

    private mutating func alternatives() throws(GrammarError) -> GrammarBuilder.Part {
        depth += 1
        guard depth <= Self.mostDepth else { throw error("nests more than \(Self.mostDepth) groups") }
        defer { depth -= 1 }
        var choices = [try sequence()]
        while take("|") {
            if checkpoint.mustStop() { throw .cancelled }
            choices.append(try sequence())
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence() throws(GrammarError) -> GrammarBuilder.Part {
        var parts: [GrammarBuilder.Part] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            if checkpoint.mustStop() { throw .cancelled }
            let atom = try atom()
            parts.append(try quantified(atom))
        }
        return .sequence(parts)
    }

    private mutating func quantified(_ atom: GrammarBuilder.Part) throws(GrammarError) -> GrammarBuilder.Part {
        var (least, most): (Int, Int?) = (1, 1)
        switch next {
        case "*": (least, most) = (0, nil)
        case "+": (least, most) = (1, nil)
        case "?": (least, most) = (0, 1)
        case "{":
            guard let bounds = bounds() else { return atom }
            (least, most) = bounds
            guard least <= Self.mostRepetitions, most ?? 0 <= Self.mostRepetitions else {
                throw error("repeats more than \(Self.mostRepetitions) times")
            }
            if let most, most < least { throw error("has a repetition whose bounds are in the wrong order") }
            index -= 1
        default: return atom
        }
        index += 1
        // Lazy quantifiers match the same texts.
        _ = take("?")
        if next == "+" || next == "*" { throw error("has a quantifier of a quantifier") }
        return .times(atom, least: least, most: most)
    }

    /// Parses "{2}", "{2,}" or "{2,5}"; `nil`, without consuming anything, for any other brace, which is literal.
    private mutating func bounds() -> (Int, Int?)? {
        let start = index
        index += 1
        if let least = number() {
            if take("}") { return (least, least) }
            if take(",") {
                let most = number()
                if take("}") { return (least, most) }
            }
        }
        index = start
        return nil
    }

    /// Digits; a number that is too large for an Int is also too large for a repetition.
    private mutating func number() -> Int? {
        var number: Int?
        while let digit = next?.value, (0x30...0x39).contains(digit), number ?? 0 < 1 << 40 {
            number = (number ?? 0) * 10 + Int(digit - 0x30)
            index += 1
        }
        return number
    }

    private mutating func atom() throws(GrammarError) -> GrammarBuilder.Part {
        guard let scalar = next else { throw error("ends too early") }
        index += 1
        switch scalar {
        case "(":
            if take("?") {
                guard take(":") else { throw error("has lookaround or a named group, which cannot be enforced") }
            }
            let body = try alternatives()
            guard take(")") else { throw error("has an unclosed '('") }
            return body
        case "[": return try part(try characterClass())
        case ".": return try part(dotMatchesAll ? .all : .notLineBreaks)
        case "\\": return try part(try escape())
        case "^", "$": throw error("has an anchor in its middle, which cannot be enforced")
        case "*", "+", "?": throw error("has a quantifier with nothing to repeat")
        default: return try part(CharacterRanges(scalar))
        }
    }

    private mutating func escape() throws(GrammarError) -> CharacterRanges {
        guard let scalar = next else { throw error("ends with a backslash") }
        index += 1
        switch scalar {
        case "d": return .digits
        case "D": return .notDigits
        case "w": return .word
        case "W": return .notWord
        case "s": return .space
        case "S": return .notSpace
        case "n": return CharacterRanges("\n")
        case "r": return CharacterRanges("\r")
        case "t": return CharacterRanges("\t")
        case "f": return CharacterRanges("\u{0C}")
        case "v": return CharacterRanges("\u{0B}")
        case "0": return CharacterRanges("\0")
        case "x": return CharacterRanges(try hexadecimal(2))
        case "u":
            guard take("{") else { return CharacterRanges(try hexadecimal(4)) }
            let digits = pattern[index...].prefix { $0 != "}" }
            let scalar = try hexadecimal(digits.count)
            guard take("}") else { throw error("has an unterminated escape") }
            return CharacterRanges(scalar)
        default:
            // Escaped letters and digits have other meanings, which are not supported.
            guard !scalar.properties.isAlphabetic, !("0"..."9").contains(scalar) else {
                throw error("has '\\\(scalar)', which cannot be enforced")
            }
            return CharacterRanges(scalar)
        }
    }

    private mutating func hexadecimal(_ count: Int) throws(GrammarError) -> Unicode.Scalar {
        let end = min(index + count, pattern.count)
        let digits = String(String.UnicodeScalarView(pattern[index..<end]))
        guard digits.count == count, count > 0, let value = UInt32(digits, radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw error("has an escape that is not a character") }
        index = end
        return scalar
    }

    private mutating func characterClass() throws(GrammarError) -> CharacterRanges {
        let isNegated = take("^")
        var sets: [CharacterRanges] = []
        while let scalar = next, scalar != "]" {
            if checkpoint.mustStop() { throw .cancelled }
            CharacterRanges.unite(&sets)
            index += 1
            let first = scalar == "\\" ? try classEscape() : CharacterRanges(scalar)
            guard let low = first.single, next == "-", index + 1 < pattern.count, pattern[index + 1] != "]" else {
                sets.append(first)
                continue
            }
            index += 1
            guard let end = next else { break }
            index += 1
            let last = end == "\\" ? try classEscape() : CharacterRanges(end)
            guard let high = last.single, low <= high else { throw error("has a range in the wrong order") }
            sets.append(CharacterRanges(low...high))
        }
        guard take("]") else { throw error("has an unclosed '['") }
        let ranges = CharacterRanges(unionOf: sets)
        return isNegated ? .all.subtracting(ranges) : ranges
    }

    private mutating func classEscape() throws(GrammarError) -> CharacterRanges {
        if take("b") { return CharacterRanges("\u{08}") }
        return try escape()
    }
}
