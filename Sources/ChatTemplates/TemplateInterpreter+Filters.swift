// The filters of `x | ...` for single values. Filters for strings and for sequences are in separate files.

extension TemplateInterpreter {
    static let filterNames: Set<String> = [
        "abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape",
        "filesizeformat", "first", "float", "format", "groupby", "indent", "int", "items", "join",
        "last",
        "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "safe",
        "select", "selectattr", "slice", "sort", "string", "striptags", "sum", "title", "tojson", "trim", "truncate",
        "unique", "upper", "urlencode", "wordcount", "wordwrap",
    ]

    func filter(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        try charge(value.string == nil ? 1 : value.weight)
        switch name {
        case "default", "d":
            let values = try arguments.bind(name, "default_value", "boolean")
            let isReplaced = value.isUndefined || (values[1]?.isTrue ?? false) && !value.isTrue
            return isReplaced ? values[0] ?? .string("") : value
        case "tojson": return try self.value(try json(value, arguments))
        case "int", "float", "abs", "round", "filesizeformat": return try numberFilter(name, value, arguments)
        case "length", "count":
            _ = try arguments.bind(name)
            return .integer(try length(of: value))
        default:
            if let result = try sequenceFilter(name, value, arguments) { return result }
            if let result = try stringFilter(name, value, arguments) { return result }
            throw .failed("No filter named '\(name)'.", .unknownName)
        }
    }

    private func length(of value: TemplateValue) throws(TemplateFailure) -> Int {
        switch value {
        case .undefined: return 0
        case .string(let string):
            try charge(string.byteCount / 16)
            return string.count
        case .list(let elements), .tuple(let elements): return elements.values.count
        case .iterable(let kind, let elements) where kind != .generator: return elements.values.count
        case .dictionary(let dictionary): return dictionary.count
        default: throw .failed("object of type '\(value.typeName)' has no len()", .type)
        }
    }

    private func json(_ value: TemplateValue, _ arguments: TemplateArguments) throws(TemplateFailure) -> TemplateString
    {
        let values = try arguments.bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys")
        var indent: TemplateString?
        if let count = values[1]?.wholeNumber {
            guard count <= 1_000 else { throw .failed("tojson() indent is too big") }
            indent = try TemplateString(" ").repeated(count)
        } else if let text = values[1]?.string {
            indent = text
        }
        var separators: (TemplateString, TemplateString)?
        if let value = values[2], !value.isNone {
            let pair = try elements(of: value)
            guard pair.count == 2 else { throw .failed("tojson() needs two separators") }
            separators = (try requiredString(pair[0], "tojson"), try requiredString(pair[1], "tojson"))
        }
        var writer = TemplateJSON(
            indent: indent, separators: separators, isASCII: values[0]?.isTrue ?? false,
            sortsKeys: values[3]?.isTrue ?? false)
        try charge(value.weight)
        try writer.write(value)
        return writer.output.oneRun
    }

    private func numberFilter(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        if case .undefined(let undefined) = value { throw .failed(undefined.message, undefined.kind) }
        switch name {
        case "int":
            let values = try arguments.bind(name, "default", "base")
            return Self.integer(of: value, base: values[1]?.wholeNumber ?? 10) ?? values[0] ?? .integer(0)
        case "float":
            let fallback = try arguments.bind(name, "default")[0]
            let number = value.number ?? value.string.flatMap { Double($0.trimmed().text) }
            return number.map { .double($0) } ?? fallback ?? .double(0)
        case "abs":
            _ = try arguments.bind(name)
            guard let number = value.number else {
                throw .failed("bad operand type for abs(): '\(value.typeName)'", .type)
            }
            return try signed(value, isMinus: number < 0)
        case "round":
            let values = try arguments.bind(name, "precision", "method")
            return try rounded(value, precision: values[0]?.wholeNumber ?? 0, method: values[1]?.string ?? "common")
        default:
            let isBinary = try arguments.bind(name, "binary")[0]?.isTrue ?? false
            guard let count = Self.number(of: value) else { throw .failed("could not convert to a size") }
            return .string(trusted: TemplateFormat.fileSize(count, isBinary: isBinary))
        }
    }

    private static func number(of value: TemplateValue) -> Double? {
        value.number ?? value.string.flatMap { Double($0.trimmed().text) }
    }

    private static func integer(of value: TemplateValue, base: Int) -> TemplateValue? {
        switch value {
        case .bigInteger: return value
        case .double(let number): return Int(exactly: number.rounded(.towardZero)).map { .integer($0) }
        case .string(let string):
            guard 2...36 ~= base else { return nil }
            var text = string.trimmed().text
            let prefix = [16: "0x", 8: "0o", 2: "0b"][base]
            if let prefix, text.lowercased().hasPrefix(prefix) { text = String(text.dropFirst(2)) }
            if let number = Int(text, radix: base) { return .integer(number) }
            let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
            // Python rejects integers with more digits.
            if base == 10, 1...4_300 ~= digits.utf8.count,
                digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 })
            {
                return .bigInteger(text)
            }
            return Double(text).flatMap { Int(exactly: $0.rounded(.towardZero)) }.map { .integer($0) }
        default: return value.wholeNumber.map { .integer($0) }
        }
    }

    private func rounded(
        _ value: TemplateValue, precision: Int, method: TemplateString
    ) throws(TemplateFailure) -> TemplateValue {
        guard let number = value.number else { throw .failed("type \(value.typeName) cannot be rounded") }
        guard -300...300 ~= precision else { throw .failed("round() precision is out of range") }
        switch method {
        case "common":
            let result = TemplateFormat.rounded(number, precision: precision)
            guard let whole = value.wholeNumber else { return .double(result) }
            return .integer(precision >= 0 ? whole : Int(exactly: result) ?? whole)
        case "ceil", "floor":
            let scale = TemplateFormat.power(10, precision)
            let scaled = number * scale
            return .double((method == "ceil" ? scaled.rounded(.up) : scaled.rounded(.down)) / scale)
        default: throw .failed("method must be common, ceil or floor")
        }
    }
}
