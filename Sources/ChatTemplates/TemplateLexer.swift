// Splits a template's source into tokens and applies all white space rules (`trim_blocks`, `lstrip_blocks`, `-`, `+`), so the
// parser sees the final text.

/// Splits a source into text and tags, in linear time.
struct TemplateLexer {
    private let source: [UInt8]
    private var position = 0
    private var line = 1
    /// Whether the last token ended a line. White space before a block tag is then removed even if no newline precedes it.
    private var isAtLineStart = true
    private(set) var tokens: [TemplateToken] = []

    static func tokens(of source: String) throws(TemplateError) -> [TemplateToken] {
        var lexer = TemplateLexer(source: source)
        while lexer.position < lexer.source.count { try lexer.readTextAndTag() }
        lexer.append(.end)
        return lexer.tokens
    }

    /// Converts line ends to `\n` and removes the last one.
    private init(source: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(source.utf8.count)
        var previous: UInt8 = 0
        for byte in source.utf8 {
            if byte == UInt8(ascii: "\r") {
                bytes.append(UInt8(ascii: "\n"))
            } else if byte != UInt8(ascii: "\n") || previous != UInt8(ascii: "\r") {
                bytes.append(byte)
            }
            previous = byte
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        self.source = bytes
    }

    // MARK: Text and tags

    private enum Tag { case variable, block, comment }

    private mutating func readTextAndTag() throws(TemplateError) {
        let start = position
        guard let (tagStart, tag) = findTag(from: start) else {
            appendText(start..<source.count)
            return advance(to: source.count)
        }
        let sign = self.sign(at: tagStart + 2)
        appendText(start..<textEnd(from: start, to: tagStart, sign: sign, isVariable: tag == .variable))
        advance(to: tagStart + (sign == nil ? 2 : 3))
        switch tag {
        case .comment: try skipComment()
        case .block:
            if let end = wordTagEnd("raw", from: position, trimsNewline: false) {
                advance(to: end)
                try readRaw()
            } else {
                append(.blockBegin)
                try readTag(closing: "%}", end: .blockEnd)
            }
        case .variable:
            append(.variableBegin)
            try readTag(closing: "}}", end: .variableEnd)
        }
    }

    private func findTag(from start: Int) -> (Int, Tag)? {
        var index = start
        while index + 1 < source.count {
            if source[index] == UInt8(ascii: "{") {
                switch source[index + 1] {
                case UInt8(ascii: "{"): return (index, .variable)
                case UInt8(ascii: "%"): return (index, .block)
                case UInt8(ascii: "#"): return (index, .comment)
                default: break
                }
            }
            index += 1
        }
        return nil
    }

    private func sign(at index: Int) -> UInt8? {
        guard index < source.count, source[index] == UInt8(ascii: "-") || source[index] == UInt8(ascii: "+") else {
            return nil
        }
        return source[index]
    }

    /// Returns the end of the text before a tag, after applying the tag's white space rules.
    private func textEnd(from start: Int, to end: Int, sign: UInt8?, isVariable: Bool) -> Int {
        if sign == UInt8(ascii: "-") { return trimmedEnd(from: start, to: end) }
        if sign == UInt8(ascii: "+") || isVariable { return end }
        let lineStart = source[start..<end].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 }
        guard lineStart != nil || isAtLineStart else { return end }
        let indent = lineStart ?? start
        return trimmedEnd(from: indent, to: end) == indent ? indent : end
    }

    private func trimmedEnd(from start: Int, to end: Int) -> Int {
        let text = String(decoding: source[start..<end], as: UTF8.self).unicodeScalars
        let kept = text.lastIndex { !$0.isPythonSpace }.map { text.index(after: $0) } ?? text.startIndex
        return start + text.utf8Offset(of: kept)
    }

    private mutating func skipComment() throws(TemplateError) {
        var end = position
        while !source[end...].starts(with: "#}".utf8) {
            guard end < source.count else { throw error("a comment is not closed") }
            end += 1
        }
        let sign = end > position ? self.sign(at: end - 1) : nil
        advance(to: tagEnd(after: end + 2, sign: sign, trimsNewline: true))
    }

    private mutating func readRaw() throws(TemplateError) {
        let start = position
        var tagStart = start
        while tagStart < source.count {
            if source[tagStart...].starts(with: "{%".utf8) {
                let sign = self.sign(at: tagStart + 2)
                if let end = wordTagEnd("endraw", from: tagStart + (sign == nil ? 2 : 3), trimsNewline: true) {
                    appendText(start..<textEnd(from: start, to: tagStart, sign: sign, isVariable: false))
                    return advance(to: end)
                }
            }
            tagStart += 1
        }
        throw error("a raw block is not closed")
    }

    /// Returns the end of the tag at `index` if it consists only of `word`, otherwise `nil`.
    private func wordTagEnd(_ word: String, from index: Int, trimsNewline: Bool) -> Int? {
        var index = skippingSpace(from: index)
        guard source[index...].starts(with: word.utf8) else { return nil }
        index = skippingSpace(from: index + word.utf8.count)
        let sign = self.sign(at: index)
        if sign != nil { index += 1 }
        guard index <= source.count, source[index...].starts(with: "%}".utf8) else { return nil }
        return tagEnd(after: index + 2, sign: sign, trimsNewline: trimsNewline)
    }

    /// Returns the start of the text after a tag that ends at `index`.
    private func tagEnd(after index: Int, sign: UInt8?, trimsNewline: Bool) -> Int {
        if sign == UInt8(ascii: "-") { return skippingSpace(from: index) }
        let hasNewline = index < source.count && source[index] == UInt8(ascii: "\n")
        return trimsNewline && sign == nil && hasNewline ? index + 1 : index
    }

    private func skippingSpace(from index: Int) -> Int {
        var index = index
        while index < source.count {
            if source[index] < 0x80 {
                guard Unicode.Scalar(source[index]).isPythonSpace else { return index }
                index += 1
            } else {
                let rest = String(decoding: source[index..<Swift.min(index + 4, source.count)], as: UTF8.self)
                guard let first = rest.unicodeScalars.first, first.isPythonSpace else { return index }
                index += UTF8.width(first)
            }
        }
        return index
    }

    private mutating func appendText(_ range: Range<Int>) {
        if !range.isEmpty { append(.data(String(decoding: source[range], as: UTF8.self))) }
    }

    private mutating func append(_ kind: TemplateToken.Kind) {
        tokens.append(TemplateToken(kind: kind, line: line))
    }

    private mutating func advance(to end: Int) {
        for byte in source[position..<end] where byte == UInt8(ascii: "\n") { line += 1 }
        if end > position { isAtLineStart = source[end - 1] == UInt8(ascii: "\n") }
        position = end
    }

    private func error(_ message: String) -> TemplateError { .syntax(message: message, line: line) }

    // MARK: Inside a tag

    private mutating func readTag(closing: String, end: TemplateToken.Kind) throws(TemplateError) {
        var brackets: [UInt8] = []
        let firstToken = tokens.count
        while true {
            advance(to: skippingSpace(from: position))
            guard position < source.count else { return }  // the parser reports what is missing
            guard tokens.count - firstToken < TemplateLimits.tokensInTag else { throw error("a tag is too long") }
            if brackets.isEmpty, let tagEnd = closingEnd(closing) {
                append(end)
                return advance(to: tagEnd)
            }
            try readToken(&brackets)
        }
    }

    private func closingEnd(_ closing: String) -> Int? {
        let sign = self.sign(at: position)
        let start = position + (sign == nil ? 0 : 1)
        guard source[start...].starts(with: closing.utf8) else { return nil }
        if closing == "}}" {
            guard sign != UInt8(ascii: "+") else { return nil }
            return tagEnd(after: start + 2, sign: sign, trimsNewline: false)
        }
        return tagEnd(after: start + 2, sign: sign, trimsNewline: true)
    }

    private mutating func readToken(_ brackets: inout [UInt8]) throws(TemplateError) {
        let byte = source[position]
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): try readNumber()
        case UInt8(ascii: "'"), UInt8(ascii: "\""): try readString(quote: byte)
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), 0x80...:
            var end = position
            while end < source.count, source[end].isNameByte { end += 1 }
            append(.name(String(decoding: source[position..<end], as: UTF8.self)))
            advance(to: end)
        default: try readSymbol(&brackets)
        }
    }

    private static let symbols = [
        "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ",", ":", "|", "(", ")",
        "[",
        "]", "{", "}",
    ]

    private mutating func readSymbol(_ brackets: inout [UInt8]) throws(TemplateError) {
        guard let symbol = Self.symbols.first(where: { source[position...].starts(with: $0.utf8) }) else {
            throw error("unexpected character '\(Character(Unicode.Scalar(source[position])))'")
        }
        switch symbol {
        case "(": brackets.append(UInt8(ascii: ")"))
        case "[": brackets.append(UInt8(ascii: "]"))
        case "{": brackets.append(UInt8(ascii: "}"))
        case ")", "]", "}":
            guard brackets.popLast() == source[position] else { throw error("unexpected '\(symbol)'") }
        default: break
        }
        append(.symbol(symbol))
        advance(to: position + symbol.utf8.count)
    }

    private mutating func readNumber() throws(TemplateError) {
        let followsDot = tokens.last?.kind == .symbol(".")
        if source[position] == UInt8(ascii: "0"), position + 1 < source.count,
            let radix = [UInt8(ascii: "x"): 16, UInt8(ascii: "o"): 8, UInt8(ascii: "b"): 2][source[position + 1] | 0x20]
        {
            let end = digitsEnd(from: position + 2) { $0.isNameByte }
            let digits = source[position + 2..<end].filter { $0 != UInt8(ascii: "_") }
            guard let value = Int(String(decoding: digits, as: UTF8.self), radix: radix) else {
                throw error("bad number")
            }
            append(.integer(value))
            return advance(to: end)
        }
        var end = digitsEnd(from: position)
        var isDouble = false
        if !followsDot {
            if end + 1 < source.count, source[end] == UInt8(ascii: "."), source[end + 1].isDigit {
                isDouble = true
                end = digitsEnd(from: end + 1)
            }
            if end < source.count, source[end] | 0x20 == UInt8(ascii: "e") {
                let exponent = end + 1 + (sign(at: end + 1) == nil ? 0 : 1)
                if exponent < source.count, source[exponent].isDigit {
                    isDouble = true
                    end = digitsEnd(from: exponent)
                }
            }
        }
        let text = String(decoding: source[position..<end].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        if isDouble {
            guard let value = Double(text) else { throw error("bad number '\(text)'") }
            append(.double(value))
        } else {
            append(Int(text).map { .integer($0) } ?? .bigInteger(text))
        }
        advance(to: end)
    }

    private func digitsEnd(
        from start: Int, where isDigit: (UInt8) -> Bool = { $0.isDigit || $0 == UInt8(ascii: "_") }
    ) -> Int {
        var end = start
        while end < source.count, isDigit(source[end]) { end += 1 }
        return end
    }

    private mutating func readString(quote: UInt8) throws(TemplateError) {
        var end = position + 1
        while end < source.count, source[end] != quote {
            end += source[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard end < source.count else { throw error("a string is not closed") }
        append(.string(TemplateEscapes.unescaped(source[position + 1..<end])))
        advance(to: end + 1)
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= self }

    fileprivate var isNameByte: Bool {
        isDigit || self == UInt8(ascii: "_") || self >= 0x80 || UInt8(ascii: "a")...UInt8(ascii: "z") ~= self | 0x20
    }
}

extension String.UnicodeScalarView {
    fileprivate func utf8Offset(of index: Index) -> Int { String(self[..<index]).utf8.count }
}
