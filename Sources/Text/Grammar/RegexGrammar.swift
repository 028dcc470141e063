/// Regular expressions as parts of a grammar, over characters that are written in some way: as they are, or inside a
/// string of JSON.
///
/// What JSON Schema's patterns use of ECMAScript: characters, classes, groups, alternatives, quantifiers, and anchors at
/// both ends. Lookaround, back references, word borders and properties of Unicode are refused.
struct RegexGrammar {
    /// How a set of characters becomes bytes.
    typealias Writer = (CharacterRanges) -> GrammarBuilder.Part

    private let pattern: [Unicode.Scalar]
    private let write: Writer
    private var index = 0
    private var depth = 0

    /// - Parameter searches: whether the pattern may match anywhere in the text, as JSON Schema says, unless anchors say
    ///   otherwise; else all of the text must match.
    /// - Throws: `GrammarError` with what is not supported.
    static func part(
        _ pattern: String, searches: Bool, write: @escaping Writer
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
        var parser = RegexGrammar(pattern: scalars, write: write)
        let anything = GrammarBuilder.Part.times(write(.all), least: 0, most: nil)
        let isAlternative = scalars.contains("|")
        let body = try parser.alternatives()
        guard parser.index == scalars.count else { throw parser.error("has a ')' too many") }
        // In "^a|b$" each anchor would be of one alternative only.
        if isAlternative, begins != ends || searches && begins, !parser.isOneGroup {
            throw parser.error("has anchors beside alternatives; put the alternatives into a group")
        }
        return .sequence((begins ? [] : [anything]) + [body] + (ends ? [] : [anything]))
    }

    /// Whether the whole pattern is one group, or its alternatives all are inside groups.
    private var isOneGroup: Bool {
        var level = 0
        var (isEscaped, isInClass) = (false, false)
        for scalar in pattern {
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

    private init(pattern: [Unicode.Scalar], write: @escaping Writer) {
        self.pattern = pattern
        self.write = write
    }

    private func error(_ reason: String) -> GrammarError {
        GrammarError(
            path: "", reason: "the pattern '\(String(String.UnicodeScalarView(pattern.prefix(80))))' \(reason)")
    }

    private var next: Unicode.Scalar? { index < pattern.count ? pattern[index] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        index += 1
        return true
    }

    private mutating func alternatives() throws(GrammarError) -> GrammarBuilder.Part {
        depth += 1
        guard depth <= 100 else { throw error("nests more than 100 groups") }
        defer { depth -= 1 }
        var choices = [try sequence()]
        while take("|") { choices.append(try sequence()) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence() throws(GrammarError) -> GrammarBuilder.Part {
        var parts: [GrammarBuilder.Part] = []
        while let scalar = next, scalar != "|", scalar != ")" {
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
            guard least <= 10_000, most ?? 0 <= 10_000 else { throw error("repeats more than 10000 times") }
            if let most, most < least { throw error("has a repetition whose bounds are in the wrong order") }
            index -= 1
        default: return atom
        }
        index += 1
        // Lazy or not, the same texts match.
        _ = take("?")
        if next == "+" || next == "*" { throw error("has a quantifier of a quantifier") }
        return .times(atom, least: least, most: most)
    }

    /// Reads "{2}", "{2,}" or "{2,5}"; `nil`, and nothing read, for any other brace, which stands for itself.
    private mutating func bounds() -> (Int, Int?)? {
        guard let end = pattern[index...].firstIndex(of: "}") else { return nil }
        let text = String(String.UnicodeScalarView(pattern[(index + 1)..<end]))
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...2).contains(numbers.count), let least = numbers[0], least >= 0 else { return nil }
        if numbers.count == 2, numbers[1] == nil, !text.hasSuffix(",") { return nil }
        index = end + 1
        return (least, numbers.count == 1 ? least : numbers[1])
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
            guard take(")") else { throw error("has a '(' without its ')'") }
            return body
        case "[": return write(try characterClass())
        case ".": return write(.all.subtracting(.lineBreaks))
        case "\\": return write(try escape())
        case "^", "$": throw error("has an anchor in its middle, which cannot be enforced")
        case "*", "+", "?": throw error("has a quantifier of nothing")
        default: return write(CharacterRanges(scalar))
        }
    }

    private mutating func escape() throws(GrammarError) -> CharacterRanges {
        guard let scalar = next else { throw error("ends with a backslash") }
        index += 1
        switch scalar {
        case "d": return .digits
        case "D": return .all.subtracting(.digits)
        case "w": return .word
        case "W": return .all.subtracting(.word)
        case "s": return .space
        case "S": return .all.subtracting(.space)
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
            guard take("}") else { throw error("has an escape without its end") }
            return CharacterRanges(scalar)
        default:
            // Letters and digits mean something that is not known here.
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
        else { throw error("has an escape that is no character") }
        index = end
        return scalar
    }

    private mutating func characterClass() throws(GrammarError) -> CharacterRanges {
        let isNegated = take("^")
        var ranges = CharacterRanges()
        while let scalar = next, scalar != "]" {
            index += 1
            let first = scalar == "\\" ? try classEscape() : CharacterRanges(scalar)
            guard let low = first.single, next == "-", index + 1 < pattern.count, pattern[index + 1] != "]" else {
                ranges.formUnion(first)
                continue
            }
            index += 1
            guard let end = next else { break }
            index += 1
            let last = end == "\\" ? try classEscape() : CharacterRanges(end)
            guard let high = last.single, low <= high else { throw error("has a range in the wrong order") }
            ranges.formUnion(CharacterRanges(low...high))
        }
        guard take("]") else { throw error("has a '[' without its ']'") }
        return isNegated ? .all.subtracting(ranges) : ranges
    }

    private mutating func classEscape() throws(GrammarError) -> CharacterRanges {
        if take("b") { return CharacterRanges("\u{08}") }
        return try escape()
    }
}
