import Basics
import JSON

/// Parses Lark's notation as supported by llguidance: rules `name: ...` and terminals `NAME: ...` of literals, regular
/// expressions, ranges, groups, alternatives and repetitions, and the directives `%ignore` and `%import common.NAME`.
struct LarkParser {
    private(set) var definitions: [(name: String, node: LarkNode)] = []
    private(set) var ignored: [LarkNode] = []

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var depth = 0
    private var checkpoint = CancellationCheck()

    static let mostRepetitions = 10_000
    private static let mostDepth = 100

    /// - Throws: `GrammarError` with the line of the error.
    init(_ text: String) throws(GrammarError) {
        scalars = Array(text.unicodeScalars)
        skipLines()
        while next != nil {
            if Cancellation.isRequested { throw .cancelled }
            try statement()
            skipInline()
            guard next == nil || next == "\n" else { throw unexpected() }
            skipLines()
        }
    }

    private var next: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    func error(_ reason: String) -> GrammarError {
        let line = scalars.prefix(index).count { $0 == "\n" } + 1
        return GrammarError(path: "", reason: "\(reason) (line \(line))")
    }

    private func unexpected() -> GrammarError {
        error("has '\(next.map { String($0) } ?? "")', which is not part of a rule")
    }

    private func isNext(_ text: String) -> Bool {
        scalars[index...].starts(with: text.unicodeScalars)
    }

    private mutating func take(_ text: String) -> Bool {
        guard isNext(text) else { return false }
        index += text.unicodeScalars.count
        return true
    }

    // MARK: Space

    /// Spaces and comments of a line.
    private mutating func skipInline() {
        while let scalar = next {
            if checkpoint.mustStop() {
                index = scalars.count
                return
            }
            if isNext("//") || scalar == "#" {
                while let scalar = next, scalar != "\n" { index += 1 }
                return
            }
            guard scalar == " " || scalar == "\t" || scalar == "\r" else { return }
            index += 1
        }
    }

    private mutating func skipLines() {
        skipInline()
        while next == "\n" {
            index += 1
            skipInline()
        }
    }

    /// Moves to the next line if it begins with `|`.
    private mutating func takeAlternative() -> Bool {
        skipInline()
        let start = index
        skipLines()
        if take("|") { return true }
        index = start
        return false
    }

    // MARK: Statements

    private mutating func name() -> String? {
        let start = index
        while let scalar = next {
            switch scalar {
            case "a"..."z", "A"..."Z", "_", "0"..."9", "-": index += 1
            default: return index > start ? String(String.UnicodeScalarView(scalars[start..<index])) : nil
            }
        }
        return index > start ? String(String.UnicodeScalarView(scalars[start..<index])) : nil
    }

    private mutating func statement() throws(GrammarError) {
        if next == "%" { return try directive() }
        // Modifiers of the parse tree have no effect.
        while next == "?" || next == "!" { index += 1 }
        guard let name = name() else { throw unexpected() }
        if take(".") {
            guard let priority = self.name(), Int(priority) != nil else {
                throw error("has a priority that is not a number")
            }
        }
        if next == "{" { throw error("has the template '\(name.prefix(80))', which cannot be enforced") }
        guard takeAttributes() else {
            throw error("has attributes of '\(name.prefix(80))', which cannot be enforced")
        }
        skipInline()
        guard take(":") else { throw error("has no ':' after '\(name.prefix(80))'") }
        definitions.append((name, try alternatives()))
    }

    /// `[capture]` or `[capture="name"]`, which only lets a client extract a part of the text; false for other attributes,
    /// which constrain the text.
    private mutating func takeAttributes() -> Bool {
        guard take("[") else { return true }
        guard name() == "capture" else { return false }
        if take("=") {
            guard take("\"") else { return false }
            while let scalar = next, scalar != "\"", scalar != "\n" { index += 1 }
            guard take("\"") else { return false }
        }
        return take("]")
    }

    private mutating func directive() throws(GrammarError) {
        index += 1
        let directive = name() ?? ""
        skipInline()
        switch directive {
        case "ignore": ignored.append(try alternatives())
        case "import": try importCommon()
        case "llguidance": _ = try braces()
        default: throw error("has the directive '%\(directive.prefix(80))', which cannot be enforced")
        }
    }

    private mutating func importCommon() throws(GrammarError) {
        guard take("common") else { throw error("imports from a library other than 'common'") }
        var names: [String] = []
        if take(".") {
            names = [name() ?? ""]
        } else {
            skipInline()
            guard take("(") else { throw unexpected() }
            repeat {
                skipLines()
                names.append(name() ?? "")
                skipLines()
            } while take(",")
            guard take(")") else { throw error("has an unclosed '('") }
        }
        skipInline()
        let alias = try takeAlias()
        for name in names {
            guard let pattern = LarkGrammar.common[name] else {
                throw error("imports 'common.\(name.prefix(80))', which is unknown")
            }
            definitions.append((alias ?? name, .regex(pattern, flags: "")))
        }
    }

    /// The name of an alternative in a parse tree, or of an import.
    private mutating func takeAlias() throws(GrammarError) -> String? {
        guard take("->") else { return nil }
        skipInline()
        guard let alias = name() else { throw error("has no name after '->'") }
        skipInline()
        return alias
    }

    /// The text of balanced braces, which come next.
    private mutating func braces() throws(GrammarError) -> String {
        let start = index
        var (level, isString) = (0, false)
        while let scalar = next {
            if checkpoint.mustStop() { throw .cancelled }
            index += 1
            switch scalar {
            case "\\" where isString: index += 1
            case "\"": isString.toggle()
            case "{" where !isString: level += 1
            case "}" where !isString: level -= 1
            default: break
            }
            if level == 0 { break }
        }
        guard level == 0, start < index, scalars[start] == "{" else { throw error("has no braces that match") }
        return String(String.UnicodeScalarView(scalars[start..<min(index, scalars.count)]))
    }

    // MARK: Parts of rules

    private mutating func alternatives() throws(GrammarError) -> LarkNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else { throw error("nests more than \(Self.mostDepth) groups") }
        _ = takeAlternative()
        var choices = [try sequence()]
        while takeAlternative() {
            if checkpoint.mustStop() { throw .cancelled }
            choices.append(try sequence())
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence() throws(GrammarError) -> LarkNode {
        var nodes: [LarkNode] = []
        skipInline()
        while let scalar = next, ![")", "]", "|", "\n"].contains(scalar), !isNext("->") {
            if checkpoint.mustStop() { throw .cancelled }
            let item = try item()
            nodes.append(try repeated(item))
            skipInline()
            // Inside a group, line breaks are allowed anywhere.
            if depth > 1 { skipLines() }
        }
        _ = try takeAlias()
        return .sequence(nodes)
    }

    private mutating func item() throws(GrammarError) -> LarkNode {
        switch next {
        case "\"":
            let text = try literal()
            guard take("..") else { return .literal(text, ignoresCase: take("i")) }
            guard next == "\"" else { throw error("has a range without an end") }
            let end = try literal()
            guard let low = text.unicodeScalars.first, let high = end.unicodeScalars.first, low <= high,
                text.unicodeScalars.count == 1, end.unicodeScalars.count == 1
            else { throw error("has a range that is not one of characters in order") }
            return .range(low, high)
        case "/": return try regex()
        case "(", "[":
            let isOptional = next == "["
            index += 1
            skipLines()
            let body = try alternatives()
            skipLines()
            guard take(isOptional ? "]" : ")") else { throw error("has an unclosed '\(isOptional ? "[" : "(")'") }
            return isOptional ? .times(body, least: 0, most: 1) : body
        case "<":
            guard let end = scalars[index...].prefix(82).firstIndex(of: ">") else { throw unexpected() }
            defer { index = end + 1 }
            return .marker(String(String.UnicodeScalarView(scalars[index...end])))
        case "%":
            guard take("%json") else { throw error("has '%' inside a rule, which is supported only as '%json'") }
            skipInline()
            guard let schema = try? JSONValue(parsing: try braces()) else {
                throw error("has a '%json' that is not JSON")
            }
            return .json(schema)
        default:
            guard let name = name() else { throw unexpected() }
            if next == "{" { throw error("has the template '\(name.prefix(80))', which cannot be enforced") }
            return .name(name)
        }
    }

    private mutating func repeated(_ item: LarkNode) throws(GrammarError) -> LarkNode {
        var item = item
        while true {
            if take("*") {
                item = .times(item, least: 0, most: nil)
            } else if take("+") {
                item = .times(item, least: 1, most: nil)
            } else if take("?") {
                item = .times(item, least: 0, most: 1)
            } else if isNext("~") || isNext("{") {
                item = try counted(item)
            } else {
                return item
            }
        }
    }

    /// `~2`, `~2..5`, and llguidance's `{2}` and `{2,5}`.
    private mutating func counted(_ item: LarkNode) throws(GrammarError) -> LarkNode {
        let isBraced = take("{")
        if !isBraced { index += 1 }
        skipInline()
        let first = number()
        var most = first
        if take(isBraced ? "," : "..") {
            skipInline()
            most = number()
            guard most != nil || isBraced else { throw error("has a repetition without a number") }
        }
        skipInline()
        if isBraced, !take("}") { throw error("has an unclosed '{'") }
        guard first != nil || isBraced && most != nil else { throw error("has a repetition without a number") }
        let least = first ?? 0
        guard max(least, most ?? 0) <= Self.mostRepetitions else {
            throw error("repeats more than \(Self.mostRepetitions) times")
        }
        if let most, most < least { throw error("has a repetition whose bounds are in the wrong order") }
        return .times(item, least: least, most: most)
    }

    private mutating func number() -> Int? {
        let digits = scalars[index...].prefix { ("0"..."9").contains($0) }
        index += digits.count
        return digits.isEmpty ? nil : Int(String(String.UnicodeScalarView(digits))) ?? .max
    }

    private mutating func literal() throws(GrammarError) -> String {
        index += 1
        var text = String.UnicodeScalarView()
        while let scalar = next, scalar != "\"", scalar != "\n" {
            if checkpoint.mustStop() { throw .cancelled }
            index += 1
            text.append(scalar == "\\" ? try escaped() : scalar)
        }
        guard take("\"") else { throw error("has an unterminated literal") }
        return String(text)
    }

    private mutating func escaped() throws(GrammarError) -> Unicode.Scalar {
        guard let scalar = next else { throw error("ends with a backslash") }
        index += 1
        switch scalar {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "f": return "\u{0C}"
        case "v": return "\u{0B}"
        case "0": return "\0"
        case "x", "u", "U":
            let count = scalar == "x" ? 2 : scalar == "u" ? 4 : 8
            let digits = scalars[index...].prefix(count)
            guard digits.count == count, let value = UInt32(String(String.UnicodeScalarView(digits)), radix: 16),
                let character = Unicode.Scalar(value)
            else { throw error("has an escape that is not a character") }
            index += count
            return character
        default:
            guard !scalar.properties.isAlphabetic else {
                throw error("has the escape '\\\(scalar)', which is unknown")
            }
            return scalar
        }
    }

    private mutating func regex() throws(GrammarError) -> LarkNode {
        index += 1
        let start = index
        var isInClass = false
        while let scalar = next, scalar != "\n", scalar != "/" || isInClass {
            if checkpoint.mustStop() { throw .cancelled }
            if scalar == "[" { isInClass = true } else if scalar == "]" { isInClass = false }
            index += scalar == "\\" ? 2 : 1
        }
        let pattern = String(String.UnicodeScalarView(scalars[start..<min(index, scalars.count)]))
        guard take("/") else { throw error("has an unterminated regular expression") }
        var flags = ""
        while let scalar = next, "imslux".unicodeScalars.contains(scalar) {
            flags.unicodeScalars.append(scalar)
            index += 1
        }
        return .regex(pattern, flags: flags)
    }
}
