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
    /// - Parameter limits: what the text may take.
    /// - Throws: `JSONError` with the byte offset, also for what is beyond a limit, and where ``Cancellation`` is requested.
    /// - Complexity: O(bytes).
    public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        let result: Result<JSONValue, JSONError> = bytes.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: buffer, limits: limits)
            do throws(JSONError) { return .success(try parser.parseText()) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    /// Parses the UTF-8 of `text`; see ``init(parsing:limits:)-([UInt8],_)``.
    public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }
}

/// A recursive-descent reader over bytes. Bounded by its limits; linear in the text.
struct JSONParser {
    /// Bytes between two questions whether to stop: a value of few bytes costs more than a long string.
    private static let pollInterval = 1 << 14

    let bytes: UnsafeBufferPointer<UInt8>
    let limits: JSONLimits
    var position = 0
    private var values = 0
    /// Where to ask again.
    private var checkpoint = Self.pollInterval
    /// Room for strings with escapes.
    private var unescaped: [UInt8] = []

    init(bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits = JSONLimits()) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func parseText() throws(JSONError) -> JSONValue {
        let value = try parseValue(depth: 0)
        try finish()
        return value
    }

    /// Nothing but white space may be left.
    mutating func finish() throws(JSONError) {
        try skipWhitespace()
        guard position == bytes.count else { throw error("unexpected text after the value") }
    }

    mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= limits.depth else { throw error("nested deeper than \(limits.depth) levels") }
        guard values < limits.values else { throw error("more than \(limits.values) values") }
        values += 1
        try poll()
        try skipWhitespace()
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
        try skipWhitespace()
        if consume("}") { return .object(object) }
        while true {
            try skipWhitespace()
            let start = position
            let name = try parseName()
            let isNew = object.update(name, try parseValue(depth: depth + 1))
            guard isNew || !limits.refusesRepeatedNames else {
                throw error("an object has the member '\(name.prefix(64))' twice", at: start)
            }
            try skipWhitespace()
            if consume("}") { return .object(object) }
            guard consume(",") else { throw error("expected ',' or '}' in an object") }
        }
    }

    private mutating func parseArray(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        try skipWhitespace()
        if consume("]") { return .array(elements) }
        while true {
            elements.append(try parseValue(depth: depth + 1))
            try skipWhitespace()
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

    mutating func parseString() throws(JSONError) -> String {
        let start = position + 1
        position = start
        try skipPlain()
        guard position < bytes.count else { throw error("unterminated string", at: start - 1) }
        switch bytes[position] {
        case UInt8(ascii: "\""):
            defer { position += 1 }
            return try text(UnsafeBufferPointer(rebasing: bytes[start..<position]), at: start)
        case UInt8(ascii: "\\"):
            position = start - 1
            return try parseEscapedString()
        default: throw error("control character in a string")
        }
    }

    private mutating func parseEscapedString() throws(JSONError) -> String {
        let start = position + 1
        var room: [UInt8] = []
        swap(&room, &unescaped)
        room.removeAll(keepingCapacity: true)
        try appendString(to: &room)
        defer { swap(&room, &unescaped) }
        let result: Result<String, JSONError> = room.withUnsafeBufferPointer { bytes in
            do throws(JSONError) { return .success(try text(bytes, at: start)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Goes to the next byte of a string that does not stand for itself.
    mutating func skipPlain() throws(JSONError) {
        while true {
            let end = min(position + JSONString.stretch, bytes.count)
            position = JSONString.plainEnd(in: bytes, from: position, to: end)
            guard position == end, end < bytes.count else { return }
            try poll()
        }
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

    private func text(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int) throws(JSONError) -> String {
        guard let text = try? UTF8Span(validating: bytes.span) else {
            throw error("string is not valid UTF-8", at: offset)
        }
        return String(copying: text)
    }

    /// Asks now and then whether to stop; in every loop, whatever it reads.
    mutating func poll() throws(JSONError) {
        guard position >= checkpoint else { return }
        checkpoint = position + Self.pollInterval
        if Cancellation.isRequested { throw error("cancelled") }
    }

    func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    mutating func consume(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func skipWhitespace() throws(JSONError) {
        while position < bytes.count {
            let stop = min(bytes.count, position + Self.pollInterval)
            while position < stop {
                let byte = bytes[position]
                guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
                position += 1
            }
            try poll()
        }
    }

    func error(_ reason: String, at offset: Int? = nil) -> JSONError {
        JSONError(reason: reason, offset: offset ?? position)
    }
}
