import Basics

/// A grammar in Lark's notation, which vLLM's `grammar` accepts in addition to GBNF. The start rule is `start`.
///
/// Terminals may be followed by what `%ignore` names. There is no lexer: a text belongs to the grammar if any division of it
/// does. Directly left-recursive rules are converted to repetitions; indirectly left-recursive ones are refused.
struct LarkGrammar {
    private typealias Part = GrammarBuilder.Part

    private var definitions: [String: LarkNode] = [:]
    private var rules: [String: Int] = [:]
    private var work: [String] = []
    private var ignored: Part = .nothing
    private var json: JSONGrammar?

    /// Maximum number of ignored items between two terminals.
    private static let mostIgnored = 16

    /// Lark's `common` terminals.
    static let common: [String: String] = {
        let string = #""(?:[^"\\\n]|\\.)*""#
        return [
            "DIGIT": "[0-9]", "HEXDIGIT": "[0-9A-Fa-f]", "INT": "[0-9]+", "SIGNED_INT": "[+-]?[0-9]+",
            "DECIMAL": #"[0-9]+\.[0-9]*|\.[0-9]+"#,
            "FLOAT": #"[0-9]+[eE][+-]?[0-9]+|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"#,
            "SIGNED_FLOAT": #"[+-]?(?:[0-9]+[eE][+-]?[0-9]+|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"#,
            "NUMBER": #"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"#,
            "SIGNED_NUMBER": #"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"#,
            "ESCAPED_STRING": string, "LCASE_LETTER": "[a-z]", "UCASE_LETTER": "[A-Z]", "LETTER": "[A-Za-z]",
            "WORD": "[A-Za-z]+", "CNAME": "[A-Za-z_][A-Za-z_0-9]*", "WS_INLINE": "[ \\t]+",
            "WS": "[ \\t\\f\\r\\n]+", "CR": "\\r", "LF": "\\n", "NEWLINE": "(?:\\r?\\n)+",
            "SH_COMMENT": "#[^\\n]*", "CPP_COMMENT": "//[^\\n]*", "SQL_COMMENT": "--[^\\n]*",
        ]
    }()

    /// Whether a grammar is in this notation, like vLLM: no rule contains `::=`.
    static func isLikely(_ text: String) -> Bool {
        for line in text.split(separator: "\n") {
            let line = line.drop { $0 == " " || $0 == "\t" }
            if line.hasPrefix("%llguidance") { return true }
            let rest = line.drop { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }.drop {
                $0 == " " || $0 == "\t"
            }
            if rest.hasPrefix("::=") { return false }
        }
        return true
    }

    /// - Throws: `GrammarError` that names what cannot be enforced.
    static func part(_ text: String, _ builder: inout GrammarBuilder) throws(GrammarError) -> GrammarBuilder.Part {
        let parser = try LarkParser(text)
        var grammar = LarkGrammar()
        for (name, node) in parser.definitions {
            guard grammar.definitions.updateValue(node, forKey: name) == nil else {
                throw GrammarError(path: "", reason: "defines '\(name.prefix(80))' twice")
            }
        }
        guard grammar.definitions["start"] != nil else { throw GrammarError(path: "", reason: "has no rule 'start'") }
        if !parser.ignored.isEmpty {
            let terminal = try builder.rule(try grammar.part(.choice(parser.ignored), isTerminal: true, &builder))
            grammar.ignored = .times(terminal, least: 0, most: mostIgnored)
        }
        let start = Part.rule(try grammar.rule("start", &builder))
        while let name = grammar.work.popLast() {
            if Cancellation.isRequested { throw .cancelled }
            try grammar.define(name, &builder)
        }
        return .sequence([grammar.ignored, start])
    }

    /// Lower-case names are rules, upper-case ones terminals.
    private static func isTerminal(_ name: String) -> Bool {
        name.first { $0 != "_" }?.isUppercase ?? false
    }

    private mutating func rule(_ name: String, _ builder: inout GrammarBuilder) throws(GrammarError) -> Int {
        if let rule = rules[name] { return rule }
        guard definitions[name] != nil else {
            throw GrammarError(path: "", reason: "uses '\(name.prefix(80))', which it does not define")
        }
        let rule = builder.declare()
        rules[name] = rule
        work.append(name)
        return rule
    }

    private mutating func define(_ name: String, _ builder: inout GrammarBuilder) throws(GrammarError) {
        guard let rule = rules[name], let node = definitions[name] else { return }
        let isTerminal = Self.isTerminal(name)
        let alternatives = if case .choice(let nodes) = node { nodes } else { [node] }
        // Left recursion: alternatives that begin with the rule itself continue one that does not.
        var (firsts, rests) = ([Part](), [Part]())
        for alternative in alternatives {
            if case .sequence(let nodes) = alternative, case .name(name)? = nodes.first {
                guard nodes.count > 1 else { continue }
                rests.append(try part(.sequence(Array(nodes.dropFirst())), isTerminal: isTerminal, &builder))
            } else {
                firsts.append(try part(alternative, isTerminal: isTerminal, &builder))
            }
        }
        let first = firsts.count == 1 ? firsts[0] : Part.choice(firsts)
        try builder.define(
            rule, rests.isEmpty ? first : .sequence([first, .times(.choice(rests), least: 0, most: nil)]))
    }

    private mutating func part(
        _ node: LarkNode, isTerminal: Bool, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Part {
        switch node {
        case .sequence(let nodes):
            var parts: [Part] = []
            for node in nodes { parts.append(try part(node, isTerminal: isTerminal, &builder)) }
            return .sequence(parts)
        case .choice(let nodes):
            var parts: [Part] = []
            for node in nodes { parts.append(try part(node, isTerminal: isTerminal, &builder)) }
            return .choice(parts)
        case .times(let node, let least, let most):
            return .times(try part(node, isTerminal: isTerminal, &builder), least: least, most: most)
        case .name(let name) where !Self.isTerminal(name):
            guard !isTerminal else {
                throw GrammarError(path: "", reason: "uses the rule '\(name.prefix(80))' inside a terminal")
            }
            return .rule(try rule(name, &builder))
        default:
            let terminal = try self.terminal(node, &builder)
            if case .sequence(let parts) = ignored, parts.isEmpty { return terminal }
            return isTerminal ? terminal : .sequence([terminal, ignored])
        }
    }

    private mutating func terminal(_ node: LarkNode, _ builder: inout GrammarBuilder) throws(GrammarError) -> Part {
        switch node {
        case .literal(let text, let ignoresCase):
            guard ignoresCase else { return builder.markedText(text) }
            return .sequence(text.unicodeScalars.map { CharacterRanges($0).ignoringCase.utf8 })
        case .regex(let pattern, let flags):
            for flag in flags where !"isu".contains(flag) {
                throw GrammarError(
                    path: "", reason: "has the flag '\(flag)' of a regular expression, which cannot be enforced")
            }
            let ignoresCase = flags.contains("i")
            let body = try RegexGrammar.part(
                pattern, searches: false, dotMatchesAll: flags.contains("s"), &builder
            ) { ignoresCase ? $0.ignoringCase.utf8 : $0.utf8 }
            return try builder.rule(body)
        case .range(let low, let high): return CharacterRanges(low.value...high.value).utf8
        case .marker(let name):
            guard GrammarSource.markers.contains(name) else {
                throw GrammarError(path: "", reason: "uses the token '\(name.prefix(80))', which is unknown")
            }
            return builder.marker(name)
        case .json(let schema):
            let json = if let known = self.json { known } else { try JSONGrammar(&builder) }
            self.json = json
            return try JSONSchemaGrammar.part(schema, json: json, &builder)
        case .name(let name): return .rule(try rule(name, &builder))
        case .sequence, .choice, .times: return try part(node, isTerminal: true, &builder)
        }
    }
}

extension CharacterRanges {
    /// With the other case of each letter. A set that excludes some characters excludes them in both cases.
    fileprivate var ignoringCase: CharacterRanges {
        let size = ranges.reduce(0) { $0 + Int($1.upperBound - $1.lowerBound) + 1 }
        if size > 0x80000 { return .all.subtracting(CharacterRanges.all.subtracting(self).ignoringCase) }
        var sets = [self]
        for range in ranges {
            for value in range where value < 0x1_0000 {
                guard let scalar = Unicode.Scalar(value), scalar.properties.isCased else { continue }
                for mapping in [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
                where mapping.unicodeScalars.count == 1 {
                    for other in mapping.unicodeScalars { sets.append(CharacterRanges(other)) }
                }
            }
        }
        return CharacterRanges(unionOf: sets)
    }
}
