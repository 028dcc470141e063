// All operations on strings are in this file and in the extension, because a string has an origin that each operation must
// preserve.

/// A string of the template language. It consists of code points, which are compared one by one as in Python, not by canonical
/// equivalence.
struct TemplateString: Sendable {
    let text: String
    /// The origin of the text. Equality and hashing ignore it.
    let origin: TemplateOrigin

    init(_ text: String, origin: TemplateOrigin) {
        (self.text, self.origin) = (text, origin)
    }

    /// Creates text of the template itself, or a constant of the language.
    init(trusted text: some StringProtocol) {
        self.init(String(text), origin: .trusted)
    }

    /// Creates the result of an operation on `source` that loses positions. It is untrusted if any part of `source` is.
    init(_ text: String, madeFrom source: TemplateString) {
        self.init(text, origin: TemplateOrigin(isTrusted: source.isTrusted))
    }

    init(_ scalars: some Sequence<Unicode.Scalar>, madeFrom source: TemplateString) {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        self.init(String(view), madeFrom: source)
    }

    var scalars: String.UnicodeScalarView { text.unicodeScalars }
    /// The number of code points. O(n).
    var count: Int { scalars.count }
    var byteCount: Int { text.utf8.count }
    var isEmpty: Bool { text.isEmpty }
    var isTrusted: Bool { origin.isTrusted }

    /// Returns the string, which is untrusted as a whole unless `other` is trusted.
    func trusted(ifTrusted other: TemplateString) -> TemplateString {
        other.isTrusted ? self : TemplateString(text, origin: .untrusted)
    }
}

extension TemplateString: Hashable, Comparable {
    static func == (left: TemplateString, right: TemplateString) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    /// UTF-8 has the same order as code points.
    static func < (left: TemplateString, right: TemplateString) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension TemplateString: ExpressibleByStringLiteral {
    init(stringLiteral value: String) { self.init(trusted: value) }
}

/// Builds a string from parts. Throws an error if it would exceed ``TemplateLimits/stringBytes``.
struct TemplateStringBuilder {
    private var text = ""
    private var origin = TemplateOrigin.trusted

    var string: TemplateString { TemplateString(text, origin: origin) }
    /// The string as one run, untrusted if any part is.
    var oneRun: TemplateString { TemplateString(text, madeFrom: string) }

    mutating func append(_ string: TemplateString) throws(TemplateFailure) {
        let byteCount = text.utf8.count
        guard byteCount + string.byteCount <= TemplateLimits.stringBytes else {
            throw .failed("a string grew too long")
        }
        guard !string.isEmpty else { return }
        if byteCount == 0 { origin = string.origin } else { origin.append(string.origin, at: byteCount) }
        guard origin.runCount <= TemplateLimits.stringRuns else {
            throw .failed("a string mixes trusted and untrusted text too often")
        }
        text += string.text
    }

    mutating func append(trusted text: String) throws(TemplateFailure) {
        try append(TemplateString(trusted: text))
    }

    mutating func append(repeating string: TemplateString, count: Int) throws(TemplateFailure) {
        guard count > 0, !string.isEmpty else { return }
        guard count <= TemplateLimits.stringBytes / string.byteCount else { throw .failed("a string grew too long") }
        guard string.origin.isMixed else {
            return try append(TemplateString(String(repeating: string.text, count: count), origin: string.origin))
        }
        for _ in 0..<count { try append(string) }
    }
}

extension Unicode.Scalar {
    /// Whether the character is white space for `str.isspace`, `str.strip` and `\s` in regular expressions.
    var isPythonSpace: Bool {
        switch value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    var isPythonLineEnd: Bool {
        switch value {
        case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// Whether `repr` prints the character unchanged.
    var isPythonPrintable: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        case .spaceSeparator: value == 0x20
        default: true
        }
    }
}
