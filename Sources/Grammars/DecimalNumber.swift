import JSON

/// A number as its decimal digits: bounds are compared digit by digit, so nothing is rounded.
struct DecimalNumber: Sendable, Hashable, Comparable {
    /// The maximum number of digits, before and after the point together.
    static let mostDigits = 1_000

    var isNegative = false
    /// Before the point: values 0 to 9, empty for zero.
    var whole: [UInt8] = []
    /// After the point, without trailing zeros.
    var fraction: [UInt8] = []

    static let zero = DecimalNumber(digits: [], scale: 0)

    /// `nil` if the value is not a number or has too many digits.
    init?(_ value: JSONValue) {
        switch value {
        case .integer(let number): self.init(String(number))
        case .bigInteger(let digits): self.init(digits)
        case .double(let number): self.init(String(number))
        default: return nil
        }
    }

    /// Parses the number formats of Swift and JSON, such as `-1.5e-07`.
    init?(_ text: String) {
        var (digits, scale, exponent) = ([UInt8](), 0, 0)
        var rest = Substring(text)
        let isNegative = rest.first == "-"
        rest = rest.drop { $0 == "-" }
        if let mark = rest.firstIndex(where: { $0 == "e" || $0 == "E" }) {
            guard let value = Int(rest[rest.index(after: mark)...]), abs(value) <= Self.mostDigits else { return nil }
            exponent = value
            rest = rest[..<mark]
        }
        guard rest.utf8.count <= Self.mostDigits else { return nil }
        var isBehindPoint = false
        for byte in rest.utf8 {
            if byte == UInt8(ascii: ".") {
                isBehindPoint = true
                continue
            }
            guard (0x30...0x39).contains(byte) else { return nil }
            digits.append(byte - 0x30)
            if isBehindPoint { scale += 1 }
        }
        self.init(digits: digits, scale: scale - exponent, isNegative: isNegative)
    }

    /// The whole number `digits`, divided by 10^scale.
    init(digits: [UInt8], scale: Int, isNegative: Bool = false) {
        var digits = digits
        if scale < 0 { digits += [UInt8](repeating: 0, count: -scale) }
        let places = max(scale, 0)
        if digits.count < places { digits = [UInt8](repeating: 0, count: places - digits.count) + digits }
        let whole = Array(digits.dropLast(places).drop { $0 == 0 })
        var fraction = Array(digits.suffix(places))
        while fraction.last == 0 { fraction.removeLast() }
        (self.whole, self.fraction) = (whole, fraction)
        self.isNegative = isNegative && !(whole.isEmpty && fraction.isEmpty)
    }

    var isZero: Bool { whole.isEmpty && fraction.isEmpty }
    var isWhole: Bool { fraction.isEmpty }
    var magnitude: DecimalNumber { DecimalNumber(digits: whole + fraction, scale: fraction.count) }

    static func < (left: DecimalNumber, right: DecimalNumber) -> Bool {
        if left.isNegative != right.isNegative { return left.isNegative }
        let (small, large) = left.isNegative ? (right, left) : (left, right)
        if small.whole.count != large.whole.count { return small.whole.count < large.whole.count }
        if small.whole != large.whole { return small.whole.lexicographicallyPrecedes(large.whole) }
        return small.fraction.lexicographicallyPrecedes(large.fraction)
    }

    /// The whole number formed by the digits before the point and `places` digits after it, truncated.
    func scaled(_ places: Int) -> (digits: [UInt8], isExact: Bool) {
        let padded = fraction.prefix(places) + [UInt8](repeating: 0, count: max(places - fraction.count, 0))
        return (Array((whole + padded).drop { $0 == 0 }), fraction.count <= places)
    }

    /// Whether it is an integer multiple of `other`, which is not zero.
    func isMultiple(of other: DecimalNumber) -> Bool {
        let places = max(fraction.count, other.fraction.count)
        return Self.remainder(scaled(places).digits, other.scaled(places).digits).isEmpty
    }

    /// The remainder of long division; both without leading zeros. O(digits^2).
    private static func remainder(_ dividend: [UInt8], _ divisor: [UInt8]) -> [UInt8] {
        var rest: [UInt8] = []
        for digit in dividend {
            if !rest.isEmpty || digit != 0 { rest.append(digit) }
            while rest.count > divisor.count
                || rest.count == divisor.count && !rest.lexicographicallyPrecedes(divisor)
            {
                rest = difference(rest, divisor)
            }
        }
        return rest
    }

    private static func difference(_ large: [UInt8], _ small: [UInt8]) -> [UInt8] {
        var result = large
        var borrow: UInt8 = 0
        for index in 0..<large.count {
            let take = (index < small.count ? small[small.count - 1 - index] : 0) + borrow
            let place = large.count - 1 - index
            borrow = result[place] < take ? 1 : 0
            result[place] = result[place] + borrow * 10 - take
        }
        return Array(result.drop { $0 == 0 })
    }
}

/// Whole numbers of any size as digits without leading zeros; empty is zero.
enum WholeDigits {
    static func successor(_ digits: [UInt8]) -> [UInt8] {
        var result = digits
        for place in result.indices.reversed() {
            guard result[place] == 9 else {
                result[place] += 1
                return result
            }
            result[place] = 0
        }
        return [1] + result
    }

    /// `nil` below zero.
    static func predecessor(_ digits: [UInt8]) -> [UInt8]? {
        var result = digits
        for place in result.indices.reversed() {
            guard result[place] == 0 else {
                result[place] -= 1
                return Array(result.drop { $0 == 0 })
            }
            result[place] = 9
        }
        return nil
    }

    static func isAtMost(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.count != other.count ? one.count < other.count : !other.lexicographicallyPrecedes(one)
    }
}
