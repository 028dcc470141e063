// All that is done to strings is done here and in the extension beside, so that a string can come to carry more than its
// text.

/// A string of the template language: code points, compared one by one as Python does, not by canonical equivalence.
struct TemplateString: Sendable {
    let text: String

    init(_ text: some StringProtocol) {
        self.text = String(text)
    }

    init(_ scalars: some Sequence<Unicode.Scalar>) {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        text = String(view)
    }

    var scalars: String.UnicodeScalarView { text.unicodeScalars }
    /// In code points; O(n).
    var count: Int { scalars.count }
    var byteCount: Int { text.utf8.count }
    var isEmpty: Bool { text.isEmpty }
}

extension TemplateString: Hashable, Comparable {
    static func == (left: TemplateString, right: TemplateString) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    /// UTF-8 sorts as code points do.
    static func < (left: TemplateString, right: TemplateString) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension TemplateString: ExpressibleByStringLiteral {
    init(stringLiteral value: String) { text = value }
}

/// Puts a string together; refuses to pass ``TemplateLimits/stringBytes``.
struct TemplateStringBuilder {
    private(set) var text = ""
    private var byteCount = 0

    var string: TemplateString { TemplateString(text) }

    mutating func append(_ string: TemplateString) throws(TemplateFailure) {
        try append(string.text)
    }

    mutating func append(_ text: String) throws(TemplateFailure) {
        byteCount += text.utf8.count
        guard byteCount <= TemplateLimits.stringBytes else { throw .failed("a string grew too long") }
        self.text += text
    }

    mutating func append(repeating text: String, count: Int) throws(TemplateFailure) {
        guard count > 0, !text.isEmpty else { return }
        guard count <= TemplateLimits.stringBytes / text.utf8.count else { throw .failed("a string grew too long") }
        try append(String(repeating: text, count: count))
    }
}

extension Unicode.Scalar {
    /// What `str.isspace`, `str.strip` and the `\s` of regular expressions take for white space.
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

    /// Whether `repr` shows the character as it is.
    var isPythonPrintable: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        case .spaceSeparator: value == 0x20
        default: true
        }
    }
}
