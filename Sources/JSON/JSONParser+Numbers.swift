/// Parses numbers from their bytes.
extension JSONParser {
    /// The maximum length of a number in bytes. A longer one costs more to convert than to send.
    static let maximumNumberBytes = 4096

    /// A number while it is parsed.
    fileprivate struct Decimal {
        /// All digits as one integer, which has wrapped around if there are more than 19.
        var magnitude: UInt64 = 0
        var digits = 0
    }

    /// Moves past an integer of at most 18 digits. Returns false, without moving, if there is another kind of number.
    @inline(__always)
    mutating func skipShortInteger() -> Bool {
        var end = position
        if bytes[end] == UInt8(ascii: "-") { end += 1 }
        let first = end
        while end < bytes.count, bytes[end] &- UInt8(ascii: "0") < 10 { end += 1 }
        let digits = end - first
        guard 1...18 ~= digits, digits == 1 || bytes[first] != UInt8(ascii: "0") else { return false }
        if end < bytes.count, bytes[end] == UInt8(ascii: ".") || bytes[end] | 0x20 == UInt8(ascii: "e") { return false }
        position = end
        return true
    }

    mutating func parseNumber() throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = consume("-")
        let first = position
        var decimal = Decimal()
        try takeDigits(&decimal, since: start)
        if bytes[first] == UInt8(ascii: "0"), position > first + 1 {
            throw error("a number must not begin with 0", at: first + 1)
        }
        var isInteger = true
        var exponent = 0
        if consume(".") {
            isInteger = false
            let point = position
            try takeDigits(&decimal, since: start)
            exponent = point - position
        }
        if let next = peek(), next | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            let isBelow = !consume("+") && consume("-")
            var power = Decimal()
            try takeDigits(&power, since: start)
            // For a long exponent, it is enough to know that it is too large.
            let size = power.digits > 4 ? 9999 : Int(power.magnitude)
            exponent += isBelow ? -size : size
        }
        if isInteger, decimal.digits <= 18 {
            return .integer(isNegative ? -Int(decimal.magnitude) : Int(decimal.magnitude))
        }
        if !isInteger, let value = decimal.exactDouble(exponent) { return .double(isNegative ? -value : value) }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        if isInteger { return Int(text).map { .integer($0) } ?? .bigInteger(text) }
        guard let value = Double(text), value.isFinite else { throw error("number out of range", at: start) }
        return .double(value)
    }

    private mutating func takeDigits(_ decimal: inout Decimal, since start: Int) throws(JSONError) {
        let first = position
        while position < bytes.count {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            guard position - start < Self.maximumNumberBytes else {
                throw error("a number has more than \(Self.maximumNumberBytes) bytes", at: start)
            }
            decimal.magnitude = decimal.magnitude &* 10 &+ UInt64(digit)
            position += 1
        }
        guard position > first else { throw error("expected a digit") }
        decimal.digits += position - first
    }
}

extension JSONParser.Decimal {
    private static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20,
        1e21, 1e22,
    ]

    /// Returns the number as a double if a single rounding gives it, because both factors are exact doubles (Clinger 1990).
    fileprivate func exactDouble(_ exponent: Int) -> Double? {
        guard digits <= 18, magnitude <= 1 << 53, abs(exponent) < Self.powers.count else { return nil }
        let value = Double(magnitude)
        return exponent < 0 ? value / Self.powers[-exponent] : value * Self.powers[exponent]
    }
}
