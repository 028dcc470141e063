import Basics

/// Why a text is not JSON.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    public let reason: String
    /// Byte offset into the text.
    public let offset: Int

    public var description: String { "invalid JSON at byte \(offset): \(reason)" }
}

extension JSONValue {
    /// The maximum nesting depth, so that hostile input cannot exhaust the stack of recursive code.
    public static let maximumDepth = 128

    /// Parses one JSON text (RFC 8259, strict: UTF-8, no comments, only white space after the value). Of several members with
    /// the same name, the last one counts, at its own position. An array or object keeps a reference to `bytes`; see
    /// ``detached``.
    ///
    /// - Parameter limits: limits of the text.
    /// - Throws: `JSONError` with the byte offset, also if a limit is exceeded or ``Cancellation`` is requested.
    /// - Complexity: O(bytes).
    public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        let result: Result<JSONTape, JSONError> = bytes.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: buffer, limits: limits)
            do throws(JSONError) {
                let tape = try parser.tape(depth: 0)
                try parser.finish()
                return .success(tape)
            } catch {
                return .failure(error)
            }
        }
        self = JSONDocument(bytes: bytes, tape: try result.get()).value(at: 0)
    }

    /// Parses the UTF-8 of `text`; see ``init(parsing:limits:)-([UInt8],_)``.
    public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }

    /// A copy of the value that does not keep the parsed text alive.
    ///
    /// - Complexity: O(values).
    public var detached: JSONValue {
        switch self {
        case .array(let elements): return .array(elements.map(\.detached))
        case .object(let object):
            var copy = JSONObject()
            for (name, value) in object { copy[name] = value.detached }
            return .object(copy)
        default: return self
        }
    }
}

/// A parser over bytes, with limits. Takes linear time.
///
/// ``JSONValue/init(parsing:limits:)-([UInt8],_)`` parses a whole text. This parses one element at a time, for documents that
/// are too large to become values. It does not own the bytes, which must outlive it.
public struct JSONParser {
    /// The number of values between two checks for cancellation.
    private static let pollInterval = 4096

    /// The whole text.
    public let bytes: UnsafeBufferPointer<UInt8>
    let limits: JSONLimits
    /// The offset of the next byte.
    public var position = 0
    /// The offset at which the text of the tape begins.
    private var base = 0
    /// The number of values that were counted. The others are counted at the end of the interval.
    private var values = 0
    private var interval = 1
    private var valuesToPoll = 1

    /// Creates a parser at the beginning of `bytes`.
    public init(bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits = JSONLimits()) {
        self.bytes = bytes
        self.limits = limits
    }

    /// Parses the value at the position. Only white space may follow it.
    public mutating func parseText() throws(JSONError) -> JSONValue {
        let value = try parseValue(depth: 0)
        try finish()
        return value
    }

    /// Checks that only white space is left.
    public mutating func finish() throws(JSONError) {
        try skipWhitespace()
        guard position == bytes.count else { throw error("unexpected text after the value") }
    }

    /// Parses the value at the position. The result keeps a copy of only its own bytes.
    ///
    /// - Parameter depth: the number of enclosing arrays and objects.
    public mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
        try skipWhitespace()
        base = position
        defer { base = 0 }
        let tape = try tape(depth: depth)
        return JSONDocument(bytes: Array(bytes[base..<position]), tape: tape).value(at: 0)
    }

    /// Validates the value at the position and moves past it. The offsets in its nodes are from `base`.
    fileprivate mutating func tape(depth: Int) throws(JSONError) -> JSONTape {
        guard bytes.count <= UInt32.max else { throw error("the text has more than 4 GiB") }
        var tape = JSONTape()
        // Arrays and objects that have begun.
        var open = 0
        while true {
            if try !readScalar(to: &tape) {
                let isObject = bytes[position] == UInt8(ascii: "{")
                position += 1
                try skipWhitespace()
                guard depth + open < limits.depth else { throw error("nested deeper than \(limits.depth) levels") }
                if consume(isObject ? "}" : "]") {
                    tape.appendEmpty(isObject ? .object : .array)
                } else {
                    // Its first value is next.
                    tape.begin(isObject: isObject)
                    open += 1
                    if isObject { try readName(to: &tape) }
                    continue
                }
            }
            // End this value and the containers that end with it.
            while true {
                if open == 0 { return tape }
                try skipWhitespace()
                if consume(",") {
                    tape.count += 1
                    guard tape.count < JSONNode.mostExtra else {
                        throw error("an array or object has more than \(JSONNode.mostExtra - 1) elements")
                    }
                    if tape.isObject { try readName(to: &tape) }
                    break
                }
                guard consume(tape.isObject ? "}" : "]") else {
                    throw error("expected ',' or \(tape.isObject ? "'}' in an object" : "']' in an array")")
                }
                let text = UnsafeBufferPointer(rebasing: bytes[base...])
                let members = tape.count
                if let name = tape.end(of: text), limits.refusesRepeatedNames { throw repeated(name, tape) }
                if members >= JSONTape.pollInterval { try checkCancellation() }
                open -= 1
            }
        }
    }

    /// Parses a scalar. Returns false if an array or object begins.
    @inline(__always)
    private mutating func readScalar(to tape: inout JSONTape) throws(JSONError) -> Bool {
        valuesToPoll -= 1
        if valuesToPoll == 0 { try poll() }
        try skipWhitespace()
        guard position < bytes.count else { throw error("unexpected end") }
        let byte = bytes[position]
        if byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "-") {
            tape.append(.number, value: position - base)
            if !skipShortInteger() { _ = try parseNumber() }
            return true
        }
        switch byte {
        case UInt8(ascii: "\""): try readString(to: &tape)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return false
        case UInt8(ascii: "t"): try readLiteral("true", .true, to: &tape)
        case UInt8(ascii: "f"): try readLiteral("false", .false, to: &tape)
        case UInt8(ascii: "n"): try readLiteral("null", .null, to: &tape)
        default: throw error("unexpected character")
        }
        return true
    }

    /// Counts the values since the last call, and checks for cancellation.
    private mutating func poll() throws(JSONError) {
        values += interval
        guard values <= limits.values else { throw error("more than \(limits.values) values") }
        if values > 1 { try checkCancellation() }
        interval = min(Self.pollInterval, limits.values - values + 1)
        valuesToPoll = interval
    }

    private func repeated(_ name: Int, _ tape: JSONTape) -> JSONError {
        let text = UnsafeBufferPointer(rebasing: bytes[base...])
        let shown = tape.nodes[name].withString(in: text) { String(decoding: $0.prefix(256), as: UTF8.self) }
        return error("an object has the member '\(shown.prefix(64))' twice", at: base + tape.nodes[name].value)
    }

    @inline(__always)
    private mutating func readName(to tape: inout JSONTape) throws(JSONError) {
        try skipWhitespace()
        guard peek() == UInt8(ascii: "\"") else { throw error("expected a member name in quotes") }
        try readString(to: &tape)
        try parseColon()
    }

    private mutating func readLiteral(
        _ text: StaticString, _ kind: JSONNode.Kind, to tape: inout JSONTape
    ) throws(JSONError) {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count,
            bytes[position..<position + count].elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: count))
        else { throw error("expected '\(text)'") }
        tape.append(kind, value: 0)
        position += count
    }

    /// Validates the string at the position, its escapes and its UTF-8.
    private mutating func readString(to tape: inout JSONTape) throws(JSONError) {
        let opening = position
        position += 1
        var kind = JSONNode.Kind.string
        var isASCII = true
        var checkpoint = position + JSONString.stretch
        while true {
            try checkCancellation(&checkpoint)
            try skipPlain(&isASCII)
            guard position < bytes.count else { throw error("unterminated string", at: opening) }
            if bytes[position] == UInt8(ascii: "\"") { break }
            guard bytes[position] == UInt8(ascii: "\\") else { throw error("control character in a string") }
            kind = .escapedString
            try parseEscapes { _ in }
        }
        let count = position - opening - 1
        if !isASCII {
            let text = UnsafeBufferPointer(rebasing: bytes[opening + 1..<position])
            guard (try? UTF8Span(validating: text.span)) != nil else {
                throw error("string is not valid UTF-8", at: opening + 1)
            }
        }
        tape.append(kind, extra: count, value: opening - base)
        position += 1
    }

    /// Reads the string at the position.
    mutating func parseString() throws(JSONError) -> String {
        var tape = JSONTape()
        try readString(to: &tape)
        return tape.nodes[0].withString(in: bytes) { String(decoding: $0, as: UTF8.self) }
    }

    /// Moves to the next byte of a string that is not plain text.
    ///
    /// - Parameter isASCII: set to false if bytes are skipped that are not ASCII.
    @inline(__always)
    mutating func skipPlain(_ isASCII: inout Bool) throws(JSONError) {
        while true {
            let end = min(position + JSONString.stretch, bytes.count)
            position = JSONString.plainEnd(in: bytes, from: position, to: end, &isASCII)
            guard position == end, end < bytes.count else { return }
            try checkCancellation()
        }
    }

    /// Parses consecutive escapes, up to a number after which the caller checks for cancellation.
    ///
    /// - Parameter take: receives the UTF-8 of the escapes.
    @inline(__always)
    mutating func parseEscapes(_ take: (UInt8) -> Void) throws(JSONError) {
        let end = position + 2 * Self.pollInterval
        while position < end, consume("\\") {
            if let next = peek(), let byte = JSONString.simpleEscape(next) {
                position += 1
                take(byte)
            } else {
                UTF8.encode(try parseUnicodeEscape())?.forEach(take)
            }
        }
    }

    private mutating func parseUnicodeEscape() throws(JSONError) -> Unicode.Scalar {
        guard position < bytes.count else { throw error("unterminated string") }
        guard consume("u") else { throw error("unknown escape in a string") }
        var scalar = try parseHex()
        if 0xD800..<0xDC00 ~= scalar, consume("\\"), consume("u") {
            let low = try parseHex()
            guard 0xDC00..<0xE000 ~= low else { throw error("unpaired surrogate in a string") }
            scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let unicode = Unicode.Scalar(scalar) else { throw error("unpaired surrogate in a string") }
        return unicode
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

    func checkCancellation() throws(JSONError) {
        if Cancellation.isRequested { throw error("cancelled") }
    }

    /// Checks for cancellation if `checkpoint` is reached, and sets the next one.
    @inline(__always)
    func checkCancellation(_ checkpoint: inout Int) throws(JSONError) {
        guard position >= checkpoint else { return }
        try checkCancellation()
        checkpoint = position + JSONString.stretch
    }

    /// The next byte; `nil` at the end.
    @inlinable @inline(__always)
    public func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    @inline(__always)
    mutating func consume(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    @inline(__always)
    mutating func skipWhitespace() throws(JSONError) {
        if position < bytes.count, bytes[position] <= 0x20 { try skipSpaces() }
    }

    private mutating func skipSpaces() throws(JSONError) {
        let start = position
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
            if (position - start) % JSONString.stretch == 0 { try checkCancellation() }
        }
    }

    /// Returns an error at `offset`, or at the position.
    public func error(_ reason: String, at offset: Int? = nil) -> JSONError {
        JSONError(reason: reason, offset: offset ?? position)
    }
}
