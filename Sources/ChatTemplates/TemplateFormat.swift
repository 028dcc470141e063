import Foundation

/// The format of a value in one conversion of `%` or `str.format`.
struct TemplateFormat {
    var fill: TemplateString = " "
    /// `<`, `>`, `^` or `=` (after the sign), or `nil` for the default of the type.
    var alignment: Unicode.Scalar?
    /// `+` or a space, for nonnegative numbers.
    var sign: Unicode.Scalar?
    var isAlternate = false
    var width = 0
    var groups: Unicode.Scalar?
    var precision: Int?

    /// Formats `value` with the conversion `type`. Returns `nil` if the type does not apply to the value.
    func text(of value: TemplateValue, type: Unicode.Scalar) throws(TemplateFailure) -> TemplateString? {
        switch type {
        case "s":
            var text = try value.printed()
            if let precision { text = text.prefix(precision) }
            return try padded(sign: "", text, defaultAlignment: "<")
        case "d", "x", "X", "o", "b":
            let radix = ["x": 16, "X": 16, "o": 8, "b": 2][type] ?? 10
            if case .bigInteger(let digits) = value, radix == 10 {
                return try number(digits, isNegative: digits.hasPrefix("-"))
            }
            guard let number = value.wholeNumber else { return nil }
            let prefix = isAlternate ? ["x": "0x", "X": "0X", "o": "0o", "b": "0b"][type] ?? "" : ""
            let digits = String(number.magnitude, radix: radix, uppercase: type == "X")
            return try self.number(digits, isNegative: number < 0, prefix: prefix)
        case "f", "F", "e", "E", "g", "G", "%":
            guard let number = value.number else { return nil }
            guard (precision ?? 6) <= 1_000 else { throw .failed("format precision is too big") }
            var digits: String
            if number.isFinite {
                let scaled = type == "%" ? number.magnitude * 100 : number.magnitude
                let conversion = type == "%" ? "f" : String(type)
                digits = String(format: "%.\(precision ?? 6)\(conversion)", scaled)
            } else {
                digits = number.magnitude.pythonText
            }
            if type == "%" { digits += "%" }
            return try self.number(digits, isNegative: number.sign == .minus)
        default: return nil
        }
    }

    private func number(
        _ digits: String, isNegative: Bool, prefix: String = ""
    ) throws(TemplateFailure) -> TemplateString {
        var digits = digits.hasPrefix("-") ? String(digits.dropFirst()) : digits
        if let groups {
            let whole = digits.prefix { $0.isNumber }
            var grouped = ""
            for (index, digit) in whole.enumerated() {
                if index > 0, (whole.count - index).isMultiple(of: 3) { grouped.unicodeScalars.append(groups) }
                grouped.append(digit)
            }
            digits = grouped + digits.dropFirst(whole.count)
        }
        let sign = isNegative ? "-" : self.sign.map { $0 == "-" ? "" : String($0) } ?? ""
        return try padded(sign: sign + prefix, TemplateString(trusted: digits), defaultAlignment: ">")
    }

    func padded(
        sign: String, _ text: TemplateString, defaultAlignment: Unicode.Scalar
    ) throws(TemplateFailure) -> TemplateString {
        let alignment = alignment ?? defaultAlignment
        if alignment == "=" {
            let width = width - sign.utf8.count
            return try TemplateString(trusted: sign).appending(
                try text.padded(to: width, left: true, right: false, fill: fill))
        }
        let text = try TemplateString(trusted: sign).appending(text)
        if alignment == "^" {
            let before = max(0, width - text.count) / 2
            return try text.padded(to: text.count + before, left: true, right: false, fill: fill)
                .padded(to: width, left: false, right: true, fill: fill)
        }
        return try text.padded(to: width, left: alignment == ">", right: alignment == "<", fill: fill)
    }

    // MARK: Numbers

    /// Returns Python's `round(number, precision)`: the decimal nearest to the exact binary value, with ties to even.
    static func rounded(_ number: Double, precision: Int) -> Double {
        guard number.isFinite else { return number }
        if precision >= 0 { return Double(String(format: "%.\(precision)f", number)) ?? number }
        let scale = power(10, -precision)
        return (number / scale).rounded(.toNearestOrEven) * scale
    }

    static func power(_ base: Double, _ exponent: Int) -> Double { pow(base, Double(exponent)) }

    static func fileSize(_ count: Double, isBinary: Bool) -> String {
        let base: Double = isBinary ? 1024 : 1000
        if count == 1 { return "1 Byte" }
        if count < base { return "\(Int(exactly: count.rounded(.towardZero)) ?? 0) Bytes" }
        let units =
            isBinary
            ? ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
            : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
        var unit = base * base
        for name in units.dropLast() {
            if count < unit { return String(format: "%.1f ", base * count / unit) + name }
            unit *= base
        }
        return String(format: "%.1f ", base * count / unit) + units[units.count - 1]
    }
}
