/// Why a text is not JSON.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    public let reason: String
    /// Byte offset into the text.
    public let offset: Int

    public var description: String { "invalid JSON at byte \(offset): \(reason)" }
}

extension JSONValue {
    /// The deepest nesting that is read, so that hostile input cannot exhaust the stack.
    public static let maximumDepth = 128

    /// Parses one JSON text (RFC 8259, strict: UTF-8, no comments, no trailing bytes but white space).
    ///
    /// - Throws: `JSONError` with the byte offset; nesting beyond ``maximumDepth`` is an error too.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        self = try bytes.span.withParser { parser throws(JSONError) in try parser.parseText() }
    }

    /// Parses the UTF-8 of `text`; see ``init(parsing:)-([UInt8])``.
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8))
    }
}

extension Span<UInt8> {
    fileprivate func withParser<T>(_ body: (inout JSONParser) throws(JSONError) -> T) throws(JSONError) -> T {
        let result: Result<T, JSONError> = withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: buffer)
            do throws(JSONError) { return .success(try body(&parser)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

/// A recursive-descent reader over bytes. Bounded by `JSONValue.maximumDepth`; linear in the text.
struct JSONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    mutating func parseText() throws(JSONError) -> JSONValue {
        let value = try parseValue(depth: 0)
        try finish()
        return value
    }

    /// Nothing but white space may be left.
    mutating func finish() throws(JSONError) {
        skipWhitespace()
        guard position == bytes.count else { throw error("unexpected text after the value") }
    }

    mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= JSONValue.maximumDepth else {
            throw error("nested deeper than \(JSONValue.maximumDepth) levels")
        }
        skipWhitespace()
        guard position < bytes.count else { throw error("unexpected end") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try parseObject(depth: depth)
        case UInt8(ascii: "["): return try parseArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseLiteral("true", .bool(true))
        case UInt8(ascii: "f"): return try parseLiteral("false", .bool(false))
        case UInt8(ascii: "n"): return try parseLiteral("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        default: throw error("unexpected character")
        }
    }

    private mutating func parseObject(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var object = JSONObject()
        skipWhitespace()
        if consume("}") { return .object(object) }
        while true {
            skipWhitespace()
            guard peek() == UInt8(ascii: "\"") else { throw error("expected a member name in quotes") }
            let name = try parseString()
            skipWhitespace()
            guard consume(":") else { throw error("expected ':' after a member name") }
            object[name] = try parseValue(depth: depth + 1)
            skipWhitespace()
            if consume("}") { return .object(object) }
            guard consume(",") else { throw error("expected ',' or '}' in an object") }
        }
    }

    private mutating func parseArray(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipWhitespace()
        if consume("]") { return .array(elements) }
        while true {
            elements.append(try parseValue(depth: depth + 1))
            skipWhitespace()
            if consume("]") { return .array(elements) }
            guard consume(",") else { throw error("expected ',' or ']' in an array") }
        }
    }

    private mutating func parseLiteral(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count,
            bytes[position..<position + count].elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: count))
        else { throw error("expected '\(text)'") }
        position += count
        return value
    }

    private mutating func parseNumber() throws(JSONError) -> JSONValue {
        let start = position
        _ = consume("-")
        guard let first = peek(), isDigit(first) else { throw error("expected a digit") }
        position += 1
        if first != UInt8(ascii: "0") {
            skipDigits()
        } else if let next = peek(), isDigit(next) {
            throw error("a number must not begin with 0")
        }
        var isInteger = true
        if consume(".") {
            isInteger = false
            try requireDigits()
        }
        if let next = peek(), next | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if !consume("+") { _ = consume("-") }
            try requireDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger { return Int(text).map { .integer($0) } ?? .bigInteger(text) }
        guard let value = Double(text), value.isFinite else { throw error("number out of range", at: start) }
        return .double(value)
    }

    private mutating func requireDigits() throws(JSONError) {
        guard let next = peek(), isDigit(next) else { throw error("expected a digit") }
        skipDigits()
    }

    mutating func parseString() throws(JSONError) -> String {
        position += 1
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                return try text(bytes[start..<position], at: start)
            case UInt8(ascii: "\\"): return try parseEscapedString(from: start)
            case 0..<0x20: throw error("control character in a string")
            default: position += 1
            }
        }
        throw error("unterminated string", at: start - 1)
    }

    /// Goes on from the first backslash of a string that began at `start`.
    private mutating func parseEscapedString(from start: Int) throws(JSONError) -> String {
        var unescaped = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return try text(unescaped[...], at: start)
            case UInt8(ascii: "\\"): try parseEscape(into: &unescaped)
            case 0..<0x20: throw error("control character in a string", at: position - 1)
            default: unescaped.append(byte)
            }
        }
        throw error("unterminated string", at: start - 1)
    }

    mutating func parseEscape(into text: inout [UInt8]) throws(JSONError) {
        guard let kind = peek() else { throw error("unterminated string") }
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = try parseHex()
            if 0xD800..<0xDC00 ~= scalar, consume("\\"), consume("u") {
                let low = try parseHex()
                guard 0xDC00..<0xE000 ~= low else { throw error("unpaired surrogate in a string") }
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let unicode = Unicode.Scalar(scalar) else { throw error("unpaired surrogate in a string") }
            text.append(contentsOf: UTF8.encode(unicode) ?? UTF8.encodedReplacementCharacter)
        default: throw error("unknown escape in a string", at: position - 1)
        }
    }

    private mutating func parseHex() throws(JSONError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw error("expected four hexadecimal digits") }
        var value: UInt32 = 0
        for byte in bytes[position..<position + 4] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
            default: throw error("expected four hexadecimal digits")
            }
        }
        position += 4
        return value
    }

    private func text(_ bytes: some Collection<UInt8>, at offset: Int) throws(JSONError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw error("string is not valid UTF-8", at: offset)
        }
        return text
    }

    func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    mutating func consume(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipDigits() {
        while let byte = peek(), isDigit(byte) { position += 1 }
    }

    mutating func skipWhitespace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    func error(_ reason: String, at offset: Int? = nil) -> JSONError {
        JSONError(reason: reason, offset: offset ?? position)
    }
}
