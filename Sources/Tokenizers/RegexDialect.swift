/// Converts regular expressions from Oniguruma's Ruby syntax to ICU syntax.
///
/// Only constructs that are known to have the same meaning in both engines are accepted. Other constructs are rejected with an
/// error that names them.
struct RegexDialect {
    struct Unsupported: Error, Hashable {
        let construct: String
    }

    /// Returns an ICU pattern that matches the same texts as `regex` in Oniguruma.
    static func icuPattern(of regex: String) throws(Unsupported) -> String {
        var dialect = RegexDialect(source: Array(regex.unicodeScalars))
        while let scalar = dialect.next() { try dialect.rewrite(scalar) }
        return dialect.output
    }

    private let source: [Unicode.Scalar]
    private var position = 0
    private var output = ""
    private var classDepth = 0

    private init(source: [Unicode.Scalar]) {
        self.source = source
    }

    private mutating func rewrite(_ scalar: Unicode.Scalar) throws(Unsupported) {
        switch scalar {
        case "\\": try rewriteEscape()
        case "[": try openClass()
        case "]" where classDepth > 0:
            classDepth -= 1
            output += "]"
        case _ where classDepth > 0: try rewriteClassMember(scalar)
        case "(": try openGroup()
        case "{": try rewriteInterval()
        default: output.unicodeScalars.append(scalar)
        }
    }

    private mutating func openClass() throws(Unsupported) {
        if peek() == ":" { throw Unsupported(construct: "[:") }
        classDepth += 1
        output += "["
        if peek() == "^" { output.unicodeScalars.append(next() ?? "^") }
        if peek() == "]" { throw Unsupported(construct: "[]") }
    }

    private mutating func rewriteClassMember(_ scalar: Unicode.Scalar) throws(Unsupported) {
        // Set operations have a different precedence.
        if scalar == "&" || scalar == "-", peek() == scalar { throw Unsupported(construct: "\(scalar)\(scalar)") }
        if scalar == "{" || scalar == "}" || scalar == "&" { output += "\\" }
        output.unicodeScalars.append(scalar)
    }

    private mutating func openGroup() throws(Unsupported) {
        guard peek() == "?" else {
            output += "("
            return
        }
        let start = position - 1
        for opening in ["(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:", "(?-i:"] where matches(opening, at: start) {
            position = start + opening.unicodeScalars.count
            output += opening
            return
        }
        // Elsewhere, the option would apply to the following alternatives too.
        guard start == 0, matches("(?i)", at: 0) else {
            throw Unsupported(construct: text(start..<min(start + 3, source.count)))
        }
        position = 4
        output += "(?i)"
    }

    /// Converts `{n}`, `{n,}` and `{n,m}`. ICU accepts no other repetitions, and a sign after one has a different meaning in
    /// Ruby.
    private mutating func rewriteInterval() throws(Unsupported) {
        let start = position - 1
        var commas = 0
        while let scalar = next(), scalar != "}" {
            if scalar == ",", position > start + 2 { commas += 1 } else if !("0"..."9").contains(scalar) { commas = 2 }
        }
        let isClosed = source[position - 1] == "}" && position > start + 2
        guard isClosed, commas < 2, peek() != "+", peek() != "?" else {
            throw Unsupported(construct: text(start..<min(position + 1, source.count)))
        }
        output += text(start..<position)
    }
}

extension RegexDialect {
    /// The reference's `\w`: without the joiners, and with the Latin-1 numbers.
    private static let word = #"[[\w\u00B2\u00B3\u00B9\u00BC-\u00BE]--[\u200C\u200D]]"#
    private static let notWord = "[^\(word)]"

    /// The categories and scripts that are the same in both engines.
    private static let properties: Set<String> = [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "Cc", "Han", "Hiragana", "Katakana",
        "Hangul", "Latin", "Greek", "Cyrillic", "Arabic", "Hebrew", "Thai", "Lao", "Khmer", "Myanmar", "Devanagari",
        "Bengali", "Tamil", "Telugu",
    ]

    private mutating func rewriteEscape() throws(Unsupported) {
        guard let escaped = next() else { throw Unsupported(construct: "\\") }
        switch escaped {
        case "w": output += RegexDialect.word
        case "W": output += RegexDialect.notWord
        case "b" where classDepth == 0:
            let word = RegexDialect.word
            output += "(?:(?<=\(word))(?!\(word))|(?<!\(word))(?=\(word)))"
        case "B" where classDepth == 0:
            let word = RegexDialect.word
            output += "(?:(?<=\(word))(?=\(word))|(?<!\(word))(?!\(word)))"
        case "v": output += "\\x{B}"
        case "s", "S", "d", "D", "n", "r", "t", "f", "a", "e": output += "\\\(escaped)"
        case "A", "z", "Z":
            guard classDepth == 0 else { throw Unsupported(construct: "\\\(escaped)") }
            output += "\\\(escaped)"
        case "p", "P": try rewriteProperty(escaped)
        case "x": try rewriteHexadecimal()
        case "u":
            guard position + 4 <= source.count, source[position..<position + 4].allSatisfy(\.isHexadecimal) else {
                throw Unsupported(construct: "\\u")
            }
            output += "\\u\(text(position..<position + 4))"
            position += 4
        case "!"..."/", ":"..."@", "["..."`", "{"..."~", " ": output += "\\\(escaped)"
        case _ where !escaped.isASCII: output.unicodeScalars.append(escaped)
        default: throw Unsupported(construct: "\\\(escaped)")
        }
    }

    private mutating func rewriteProperty(_ kind: Unicode.Scalar) throws(Unsupported) {
        let start = position
        while let scalar = next(), scalar != "}" {}
        let name = text(min(start + 1, position)..<max(position - 1, min(start + 1, position)))
        guard RegexDialect.properties.contains(name) else {
            throw Unsupported(construct: "\\\(kind)" + text(start..<position))
        }
        output += "\\\(kind){\(name)}"
    }

    /// Converts `\x{...}`, or two digits of an ASCII character. Greater values would be bytes of UTF-8.
    private mutating func rewriteHexadecimal() throws(Unsupported) {
        let start = position
        if peek() == "{" {
            while let scalar = next(), scalar != "}" {}
            output += "\\x" + text(start..<position)
        } else {
            position = min(position + 2, source.count)
            guard let value = UInt8(text(start..<position), radix: 16), value < 0x80 else {
                throw Unsupported(construct: "\\x" + text(start..<position))
            }
            output += "\\x{" + String(value, radix: 16) + "}"
        }
    }

    private mutating func next() -> Unicode.Scalar? {
        guard position < source.count else { return nil }
        defer { position += 1 }
        return source[position]
    }

    private func peek() -> Unicode.Scalar? {
        position < source.count ? source[position] : nil
    }

    private func matches(_ text: String, at start: Int) -> Bool {
        source[start...].starts(with: text.unicodeScalars)
    }

    private func text(_ range: Range<Int>) -> String {
        var text = ""
        text.unicodeScalars.append(contentsOf: source[range])
        return text
    }
}

extension Unicode.Scalar {
    fileprivate var isHexadecimal: Bool {
        isASCII && properties.isASCIIHexDigit
    }
}
