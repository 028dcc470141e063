// The text of values, as in Python's `str` and `repr`.
import Basics

extension TemplateValue {
    /// Returns `str(value)`, which is what `{{ value }}` prints.
    func printed() throws(TemplateFailure) -> TemplateString {
        if case .string(let string) = self { return string }
        var builder = TemplateStringBuilder()
        try write(to: &builder)
        return builder.oneRun
    }

    /// Returns `repr(value)`.
    func represented() throws(TemplateFailure) -> TemplateString {
        var builder = TemplateStringBuilder()
        if isUndefined { try builder.append("Undefined") } else { try write(to: &builder) }
        return builder.oneRun
    }

    private func write(to builder: inout TemplateStringBuilder) throws(TemplateFailure) {
        switch self {
        case .undefined: break
        case .none: try builder.append("None")
        case .bool(let value): try builder.append(trusted: value ? "True" : "False")
        case .integer(let value): try builder.append(trusted: String(value))
        case .bigInteger(let digits): try builder.append(trusted: digits)
        case .double(let value): try builder.append(trusted: value.pythonText)
        case .string(let string): try string.writeRepresentation(to: &builder)
        case .list(let elements): try Self.write(elements.values, between: "[", "]", to: &builder)
        case .tuple(let elements):
            try Self.write(elements.values, between: "(", elements.values.count == 1 ? ",)" : ")", to: &builder)
        case .iterable(let kind, let elements): try Self.write(kind, elements.values, to: &builder)
        case .dictionary(let dictionary):
            try builder.append("{")
            for (index, pair) in dictionary.pairs.enumerated() {
                if index > 0 { try builder.append(", ") }
                try builder.append(try pair.key.represented())
                try builder.append(": ")
                try builder.append(try pair.value.represented())
            }
            try builder.append("}")
        case .method(let receiver, let name):
            try builder.append(trusted: "<built-in method \(name) of \(receiver.typeName) object>")
        case .function(let name): try builder.append(trusted: "<function \(name)>")
        case .object(let object): try builder.append(trusted: "<\(object.typeName)>")
        }
    }

    private static func write(
        _ values: [TemplateValue], between opening: String, _ closing: String, to builder: inout TemplateStringBuilder
    ) throws(TemplateFailure) {
        try builder.append(trusted: opening)
        for (index, value) in values.enumerated() {
            if index > 0 { try builder.append(", ") }
            if value.isUndefined { try builder.append("Undefined") } else { try value.write(to: &builder) }
        }
        try builder.append(trusted: closing)
    }

    private static func write(
        _ kind: Iterable, _ values: [TemplateValue], to builder: inout TemplateStringBuilder
    ) throws(TemplateFailure) {
        switch kind {
        case .generator: try builder.append("<generator object>")
        case .keys, .values, .items: try write(values, between: kind.rawValue + "([", "])", to: &builder)
        case .range:
            let start = values.first?.wholeNumber ?? 0
            let step = values.count > 1 ? (values[1].wholeNumber ?? 0) - start : 1
            let end = (values.last?.wholeNumber ?? -1) + (step > 0 ? 1 : -1)
            try builder.append(
                trusted: step == 1 ? "range(\(start), \(end))" : "range(\(start), \(end), \(step))")
        }
    }
}

extension TemplateString {
    /// Appends the string as a Python literal, in single quotes, or in double quotes if this avoids an escape.
    func writeRepresentation(to builder: inout TemplateStringBuilder) throws(TemplateFailure) {
        var checkpoint = CancellationCheck()
        var (hasSingle, hasDouble) = (false, false)
        for byte in text.utf8 {
            if checkpoint.mustStop() { throw .cancelled }
            if byte == UInt8(ascii: "'") { hasSingle = true }
            if byte == UInt8(ascii: "\"") { hasDouble = true }
        }
        let quote: Unicode.Scalar = hasSingle && !hasDouble ? "\"" : "'"
        var literal = String(quote)
        for scalar in scalars {
            if checkpoint.mustStop() { break }
            switch scalar {
            case "\\": literal += "\\\\"
            case quote: literal += "\\" + String(quote)
            case "\n": literal += "\\n"
            case "\r": literal += "\\r"
            case "\t": literal += "\\t"
            case " "..."~": literal.unicodeScalars.append(scalar)
            default: literal += scalar.isPythonPrintable ? String(scalar) : scalar.pythonEscape
            }
        }
        try builder.append(TemplateString(literal + String(quote), madeFrom: self))
    }
}

extension Unicode.Scalar {
    fileprivate var pythonEscape: String {
        switch value {
        case ..<0x100: "\\x" + value.hexadecimal(digits: 2)
        case ..<0x10000: "\\u" + value.hexadecimal(digits: 4)
        default: "\\U" + value.hexadecimal(digits: 8)
        }
    }
}

extension UInt32 {
    func hexadecimal(digits: Int) -> String {
        let text = String(self, radix: 16)
        return String(repeating: "0", count: Swift.max(0, digits - text.utf8.count)) + text
    }
}

extension Double {
    /// The result of `repr(float)`: the shortest digits that parse to the same number, with an exponent below 1e-4 and from 1e16.
    var pythonText: String {
        guard isFinite else { return isNaN ? "nan" : self < 0 ? "-inf" : "inf" }
        // Swift produces the same digits but uses exponents from other thresholds.
        let parts = magnitude.description.split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let fraction = mantissa.count > 1 ? mantissa[1] : ""
        var digits = Substring(mantissa[0] + fraction)
        var point = mantissa[0].count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        while digits.first == "0", digits.count > 1 {
            digits.removeFirst()
            point -= 1
        }
        while digits.last == "0", digits.count > 1 { digits.removeLast() }
        if digits == "0" { point = 1 }
        let sign = self.sign == .minus ? "-" : ""
        if point > 16 || point < -3 {
            let exponent = abs(point - 1)
            let rest = digits.count > 1 ? "." + digits.dropFirst() : ""
            return sign + digits.prefix(1) + rest + (point > 0 ? "e+" : "e-") + (exponent < 10 ? "0" : "")
                + String(exponent)
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point { return sign + digits + String(repeating: "0", count: point - digits.count) + ".0" }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }
}
