import Basics
import JSON

/// One condition on a string, possibly negated.
struct StringPattern: Sendable {
    private enum Kind: Sendable {
        /// A regular expression, and whether it may match anywhere in the string.
        case regex(String, searches: Bool)
        case texts([String])
        /// A part of leaves only, which can be used in any grammar.
        case part(GrammarBuilder.Part)
    }

    private let kind: Kind
    private(set) var isNegated = false
    let path: SchemaPath

    private init(_ kind: Kind, isNegated: Bool, path: SchemaPath) {
        (self.kind, self.isNegated, self.path) = (kind, isNegated, path)
    }

    /// A format, which must match the whole string.
    init(format pattern: String, path: SchemaPath) {
        self.init(.regex(pattern, searches: false), isNegated: false, path: path)
    }

    /// The strings of a part without rules.
    init(part: GrammarBuilder.Part, path: SchemaPath) {
        self.init(.part(part), isNegated: false, path: path)
    }

    /// None of some texts.
    init(texts: [String], path: SchemaPath) {
        self.init(.texts(texts), isNegated: true, path: path)
    }

    /// Its regular expression, if it may match anywhere; `nil` for others.
    var expression: String? {
        if case .regex(let pattern, searches: true) = kind { pattern } else { nil }
    }

    var negated: StringPattern { StringPattern(kind, isNegated: !isNegated, path: path) }

    /// Splits a `pattern`: lookaheads at its beginning become separate patterns.
    static func split(_ pattern: String, _ path: SchemaPath) -> [StringPattern] {
        guard pattern.hasPrefix("^(?=") || pattern.hasPrefix("^(?!") else {
            return [StringPattern(.regex(pattern, searches: true), isNegated: false, path: path)]
        }
        var rest = Array(pattern.unicodeScalars.dropFirst())[...]
        var patterns: [StringPattern] = []
        while rest.starts(with: "(?=".unicodeScalars) || rest.starts(with: "(?!".unicodeScalars) {
            let isNegated = rest[rest.startIndex + 2] == "!"
            guard let end = groupEnd(rest) else { break }
            patterns.append(
                StringPattern(
                    .regex(anchored(rest[(rest.startIndex + 3)..<end]), searches: true), isNegated: isNegated,
                    path: path))
            rest = rest[(end + 1)...]
        }
        if !rest.isEmpty {
            let text = "^" + String(String.UnicodeScalarView(rest))
            patterns.append(StringPattern(.regex(text, searches: true), isNegated: false, path: path))
        }
        return patterns
    }

    /// The inside of a lookahead as a pattern that is anchored at the beginning of the string.
    private static func anchored(_ inside: ArraySlice<Unicode.Scalar>) -> String {
        var inside = inside
        if inside.first == "^" { inside = inside.dropFirst() }
        let text = String(String.UnicodeScalarView(inside))
        return inside.contains("|") && inside.last != "$" ? "^(?:\(text))" : "^\(text)"
    }

    /// The end of the group that comes first. O(length).
    private static func groupEnd(_ scalars: ArraySlice<Unicode.Scalar>) -> Int? {
        var (level, isEscaped, isInClass) = (0, false, false)
        var checkpoint = CancellationCheck()
        for index in scalars.indices {
            if checkpoint.mustStop() { return nil }
            if isEscaped {
                isEscaped = false
                continue
            }
            switch scalars[index] {
            case "\\": isEscaped = true
            case "[": isInClass = true
            case "]": isInClass = false
            case "(" where !isInClass: level += 1
            case ")" where !isInClass:
                level -= 1
                if level == 0 { return index }
            default: break
            }
        }
        return nil
    }

    /// The strings that it matches, negated or not.
    ///
    /// - Parameter write: how the characters of an expression are written, by default inside a JSON string.
    /// - Throws: `GrammarError` that names what cannot be enforced.
    func part(
        _ builder: inout GrammarBuilder, write: @escaping RegexGrammar.Writer = JSONGrammar.write
    ) throws(GrammarError) -> GrammarBuilder.Part {
        switch kind {
        case .part(let part): return part
        case .texts(let texts):
            return .choice(
                texts.map { text in
                    var bytes: [UInt8] = []
                    JSONValue.writeString(text, to: &bytes)
                    return .literal(Array(bytes.dropFirst().dropLast()))
                })
        case .regex(let pattern, let searches):
            do throws(GrammarError) {
                return try RegexGrammar.part(pattern, searches: searches, &builder, write: write)
            } catch {
                throw error.isLimit ? error : path.error(error.reason)
            }
        }
    }

    /// The character and its count, if the part of a pattern is one repeated character.
    func repeated(
        _ part: GrammarBuilder.Part
    ) -> (character: GrammarBuilder.Part, range: (least: Int, most: Int?))? {
        guard case .sequence(let outer) = part, outer.count == 1, case .sequence(let inner) = outer[0],
            inner.count == 1, case .times(let character, let least, let most) = inner[0]
        else { return nil }
        switch character {
        case .rule, .bytes: return (character, (least, most))
        default: return nil
        }
    }
}
