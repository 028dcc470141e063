/// Reads objects and arrays element by element, for documents that are too large to become values.
extension JSONParser {
    /// Enters the object or array at the position.
    public mutating func open(_ bracket: Unicode.Scalar) throws(JSONError) {
        try skipWhitespace()
        guard consume(bracket) else { throw error("expected '\(bracket)'") }
    }

    /// Moves to the next element of the open object or array; returns false after the closing `bracket`.
    public mutating func nextElement(before bracket: Unicode.Scalar, _ isFirst: inout Bool) throws(JSONError) -> Bool {
        try skipWhitespace()
        if isFirst, consume(bracket) { return false }
        if !isFirst {
            if consume(bracket) { return false }
            guard consume(",") else { throw error("expected ',' or '\(bracket)'") }
            try skipWhitespace()
        }
        isFirst = false
        return true
    }

    /// Parses a member's name and the colon.
    public mutating func parseName() throws(JSONError) -> String {
        guard peek() == UInt8(ascii: "\"") else { throw error("expected a member name in quotes") }
        let name = try parseString()
        try parseColon()
        return name
    }

    /// Parses a member's name and the colon, like ``parseName()``, into existing memory.
    public mutating func parseName(into name: inout [UInt8]) throws(JSONError) {
        guard peek() == UInt8(ascii: "\"") else { throw error("expected a member name in quotes") }
        name.removeAll(keepingCapacity: true)
        try appendString(to: &name)
        try parseColon()
    }

    /// Appends the string at the position with its escapes resolved. Its UTF-8 is not validated.
    public mutating func appendString(to text: inout [UInt8]) throws(JSONError) {
        let opening = position
        position += 1
        var isASCII = true
        var checkpoint = position + JSONString.stretch
        while true {
            try checkCancellation(&checkpoint)
            let start = position
            try skipPlain(&isASCII)
            text += UnsafeBufferPointer(rebasing: bytes[start..<position])
            guard position < bytes.count else { throw error("unterminated string", at: opening) }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return
            case UInt8(ascii: "\\"): try parseEscapes { text.append($0) }
            default: throw error("control character in a string")
            }
        }
    }

    /// Parses up to 18 digits without leading zeros, and stops before a fraction or an exponent. Returns `nil` for any other value.
    public mutating func parseIndex() -> Int? {
        let start = position
        var value = 0
        while let byte = peek(), isDigit(byte) {
            guard position < start + 18 else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
            position += 1
        }
        let isPadded = position > start + 1 && bytes[start] == UInt8(ascii: "0")
        return position > start && !isPadded ? value : nil
    }

    /// Moves to the end of the value at the position. Only its brackets and strings are checked, so a skipped value may not be
    /// valid JSON.
    public mutating func skipValue() throws(JSONError) {
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                // The end of the enclosing object.
                if depth == 0 { return }
                depth -= 1
                position += 1
                if depth == 0 { return }
            case UInt8(ascii: ",") where depth == 0: return
            default: position += 1
            }
        }
        throw error("unexpected end")
    }

    private mutating func skipString() {
        position += 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        position = min(position + 1, bytes.count)
    }

    @inline(__always)
    mutating func parseColon() throws(JSONError) {
        try skipWhitespace()
        guard consume(":") else { throw error("expected ':' after a member name") }
        try skipWhitespace()
    }
}
