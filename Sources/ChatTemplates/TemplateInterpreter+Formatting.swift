// `'...' % values` and `'...'.format(values)`.

extension TemplateInterpreter {
    /// Python's `format % values`.
    func formatted(_ format: TemplateString, _ values: TemplateValue) throws(TemplateFailure) -> TemplateString {
        var positional: [TemplateValue] = if case .tuple(let elements) = values { elements.values } else { [values] }
        positional.reverse()
        var builder = TemplateStringBuilder()
        var rest = format.scalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "%" else {
                try builder.append(trusted: String(scalar))
                continue
            }
            try charge(1)
            var value: TemplateValue?
            if rest.first == "(" {
                let name = String(rest.dropFirst().prefix { $0 != ")" })
                rest = rest.dropFirst(name.unicodeScalars.count + 2)
                guard case .dictionary(let names) = values else { throw .failed("format requires a mapping") }
                guard let member = names[name] else { throw .failed("'\(name)'") }
                (value, positional) = (member, [])
            }
            var conversion = TemplateFormat()
            readFlags(&rest, into: &conversion)
            conversion.width = try readNumber(&rest, &positional) ?? 0
            if conversion.width < 0 { (conversion.alignment, conversion.fill) = ("<", " ") }
            conversion.width = Int(clamping: conversion.width.magnitude)
            if rest.first == "." {
                rest.removeFirst()
                conversion.precision = max(0, try readNumber(&rest, &positional) ?? 0)
            }
            guard let type = rest.popFirst() else { throw .failed("incomplete format") }
            if type == "%" {
                try builder.append("%")
                continue
            }
            guard let value = value ?? positional.popLast() else {
                throw .failed("not enough arguments for format string")
            }
            try builder.append(try text(of: value, type: type, conversion))
        }
        if !positional.isEmpty {
            // A single container may be unused, because it can be the source of named values.
            switch values {
            case .dictionary, .list, .iterable(.range, _): break
            default: throw .failed("not all arguments converted during string formatting")
            }
        }
        return builder.string.trusted(ifTrusted: format)
    }

    private func readFlags(_ rest: inout Substring.UnicodeScalarView, into conversion: inout TemplateFormat) {
        while let flag = rest.first, ["-", "+", " ", "0", "#"].contains(flag) {
            switch flag {
            case "-": (conversion.alignment, conversion.fill) = ("<", " ")
            case "0" where conversion.alignment == nil: (conversion.alignment, conversion.fill) = ("=", "0")
            case "+": conversion.sign = flag
            case " ": conversion.sign = conversion.sign ?? flag
            case "#": conversion.isAlternate = true
            default: break
            }
            rest.removeFirst()
        }
        if conversion.alignment == nil { conversion.alignment = ">" }
    }

    private func readNumber(
        _ rest: inout Substring.UnicodeScalarView, _ positional: inout [TemplateValue]
    ) throws(TemplateFailure) -> Int? {
        if rest.first == "*" {
            rest.removeFirst()
            guard let number = positional.popLast()?.wholeNumber else { throw .failed("* wants int") }
            return number
        }
        return try Self.number(&rest)
    }

    private static func number(_ rest: inout Substring.UnicodeScalarView) throws(TemplateFailure) -> Int? {
        let digits = rest.prefix { "0"..."9" ~= $0 }
        guard !digits.isEmpty else { return nil }
        rest = rest.dropFirst(digits.count)
        guard let number = Int(String(digits)) else { throw .failed("a format's number is too big") }
        return number
    }

    private func text(
        of value: TemplateValue, type: Unicode.Scalar, _ conversion: TemplateFormat
    ) throws(TemplateFailure) -> TemplateString {
        var conversion = conversion
        var (value, type) = (value, type)
        switch type {
        case "s", "r", "a":
            if type != "s" { value = .string(try value.represented()) }
            if conversion.alignment == "=" { (conversion.alignment, conversion.fill) = (">", " ") }
            type = "s"
        case "c":
            if let code = value.wholeNumber {
                guard let scalar = UInt32(exactly: code).flatMap({ Unicode.Scalar($0) }) else {
                    throw .failed("%c arg not in range")
                }
                // The character is untrusted, because a number has no origin.
                value = .string(TemplateString(String(scalar), origin: .untrusted))
            }
            type = "s"
        case "i", "u", "d":
            type = "d"
            if case .double(let number) = value {
                guard let whole = Int(exactly: number.rounded(.towardZero)) else {
                    throw .failed("a number is too big for %d")
                }
                value = .integer(whole)
            }
        default: break
        }
        if case .undefined(let undefined) = value { throw .failed(undefined.message, undefined.kind) }
        guard let text = try conversion.text(of: value, type: type) else {
            throw .failed("%\(type) format: a number is required, not \(value.typeName)")
        }
        return text
    }

    // MARK: str.format

    /// Python's `format.format(...)`: `{}`, `{0}`, `{name.attribute[key]!r:>10}`. Nested fields are not supported.
    func formatted(_ format: TemplateString, _ arguments: TemplateArguments) throws(TemplateFailure) -> TemplateString {
        var builder = TemplateStringBuilder()
        var rest = format.scalars[...]
        var position = 0
        while let scalar = rest.popFirst() {
            if scalar == "{" || scalar == "}", rest.first == scalar {
                rest.removeFirst()
                try builder.append(trusted: String(scalar))
            } else if scalar == "{" {
                let field = rest.prefix { $0 != "}" }
                guard field.endIndex < rest.endIndex else { throw .failed("expected '}' before end of string") }
                rest = rest[rest.index(after: field.endIndex)...]
                try charge(1)
                try builder.append(try self.field(field, arguments, &position))
            } else if scalar == "}" {
                throw .failed("Single '}' encountered in format string")
            } else {
                try builder.append(trusted: String(scalar))
            }
        }
        return builder.string.trusted(ifTrusted: format)
    }

    private func field(
        _ field: Substring.UnicodeScalarView, _ arguments: TemplateArguments, _ position: inout Int
    ) throws(TemplateFailure) -> TemplateString {
        guard !field.contains("{") else { throw .failed("fields inside fields are not supported") }
        let specification = field.firstIndex(of: ":").map { field[field.index(after: $0)...] }
        var path = field.prefix { $0 != ":" }
        var conversion: Unicode.Scalar?
        if let mark = path.firstIndex(of: "!") {
            conversion = path[path.index(after: mark)...].first
            path = path[..<mark]
        }
        var value = try root(path.prefix { $0 != "." && $0 != "[" }, arguments, &position)
        path = path.drop { $0 != "." && $0 != "[" }
        while let opening = path.popFirst() {
            let name = String(path.prefix { opening == "[" ? $0 != "]" : $0 != "." && $0 != "[" })
            path = path.dropFirst(name.unicodeScalars.count + (opening == "[" ? 1 : 0))
            if opening == "[" {
                value = try element(Int(name).map { .integer($0) } ?? .string(trusted: name), of: value)
            } else {
                value = try attribute(name, of: value)
            }
        }
        if conversion == "r" { value = .string(try value.represented()) }
        if conversion == "s" { value = .string(try value.printed()) }
        guard let specification, !specification.isEmpty else { return try value.printed() }
        return try specified(value, specification)
    }

    private func root(
        _ name: Substring.UnicodeScalarView, _ arguments: TemplateArguments, _ position: inout Int
    ) throws(TemplateFailure) -> TemplateValue {
        let name = String(name)
        if name.isEmpty || Int(name) != nil {
            let index = Int(name) ?? position
            position += 1
            guard arguments.positional.indices.contains(index) else {
                throw .failed("Replacement index \(index) out of range for positional args tuple")
            }
            return arguments.positional[index]
        }
        guard let value = arguments.named.first(where: { $0.name.text == name })?.value else {
            throw .failed("'\(name)'")
        }
        return value
    }

    /// Formats a value with `[[fill]align][sign][#][0][width][,][.precision][type]`.
    private func specified(
        _ value: TemplateValue, _ specification: Substring.UnicodeScalarView
    ) throws(TemplateFailure) -> TemplateString {
        var conversion = TemplateFormat()
        var rest = specification
        let alignments: Set<Unicode.Scalar> = ["<", ">", "^", "="]
        if let second = rest.dropFirst().first, alignments.contains(second) {
            conversion.fill = TemplateString(trusted: String(rest.removeFirst()))
            conversion.alignment = rest.removeFirst()
        } else if let first = rest.first, alignments.contains(first) {
            conversion.alignment = rest.removeFirst()
        }
        if let sign = rest.first, ["+", "-", " "].contains(sign) { conversion.sign = rest.removeFirst() }
        if rest.first == "#" {
            conversion.isAlternate = true
            rest.removeFirst()
        }
        if rest.first == "0", conversion.alignment == nil { (conversion.alignment, conversion.fill) = ("=", "0") }
        conversion.width = try Self.number(&rest) ?? 0
        if let separator = rest.first, [",", "_"].contains(separator) { conversion.groups = rest.removeFirst() }
        if rest.first == "." {
            rest.removeFirst()
            conversion.precision = try Self.number(&rest)
        }
        let type = rest.popFirst() ?? defaultType(of: value, conversion)
        if type == "s", value.number != nil, conversion.alignment == nil { conversion.alignment = ">" }
        guard rest.isEmpty, let text = try conversion.text(of: value, type: type) else {
            throw .failed("Invalid format specifier '\(String(specification))' for object of type '\(value.typeName)'")
        }
        return text
    }

    private func defaultType(of value: TemplateValue, _ conversion: TemplateFormat) -> Unicode.Scalar {
        switch value {
        case .integer, .bigInteger: "d"
        case .double: conversion.precision == nil ? "s" : "g"
        default: "s"
        }
    }
}
