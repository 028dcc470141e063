extension TemplateInterpreter {
    func stringMethod(
        _ name: String, _ string: TemplateString, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        switch name {
        case "strip", "lstrip", "rstrip":
            let set = try optionalString(try arguments.bind(name, "chars")[0], name)
            return try value(string.trimmed(set, left: name != "rstrip", right: name != "lstrip"))
        case "split", "rsplit": return try split(name, string, arguments)
        case "splitlines":
            let keepingEnds = try arguments.bind(name, "keepends")[0]?.isTrue ?? false
            return try list(string.lines(keepingEnds: keepingEnds))
        case "startswith", "endswith": return .bool(try hasEnd(name, string, arguments))
        case "removeprefix", "removesuffix":
            let end = try requiredString(try arguments.bind(name, "end")[0], name)
            guard name == "removeprefix" ? string.hasPrefix(end) : string.hasSuffix(end) else { return .string(string) }
            let count = string.count - end.count
            return try value(string.picking(Array(name == "removeprefix" ? end.count..<string.count : 0..<count)))
        case "replace":
            let values = try arguments.bind(name, "old", "new", "count")
            let (old, new) = (try requiredString(values[0], name), try requiredString(values[1], name))
            return try value(try string.replacing(old, with: new, limit: try limit(values[2])))
        case "find", "rfind", "index", "rindex": return try find(name, string, arguments)
        case "count":
            let part = try requiredString(try arguments.bind(name, "sub")[0], name)
            return .integer(part.isEmpty ? string.count + 1 : string.offsets(of: part).count)
        case "join":
            guard let sequence = try arguments.bind(name, "iterable")[0] else {
                throw .failed("join() needs a sequence")
            }
            var parts: [TemplateString] = []
            for element in try elements(of: sequence) { parts.append(try requiredString(element, name)) }
            return try value(try TemplateString.joined(parts, by: string))
        case "partition", "rpartition": return try partition(name, string, arguments)
        case "format": return try value(try formatted(string, arguments))
        case "center", "ljust", "rjust", "zfill": return try value(try padded(name, string, arguments))
        default:
            _ = try arguments.bind(name)
            return try changedOrTested(name, string)
        }
    }

    private func changedOrTested(_ name: String, _ string: TemplateString) throws(TemplateFailure) -> TemplateValue {
        func all(_ isMember: (Unicode.Scalar.Properties) -> Bool) -> TemplateValue {
            .bool(!string.isEmpty && string.scalars.allSatisfy { isMember($0.properties) })
        }
        switch name {
        case "upper": return try value(string.uppercased)
        case "lower": return try value(string.lowercased)
        // Converting to upper case first turns "ß" into "ss".
        case "casefold": return try value(string.uppercased.lowercased)
        case "title": return try value(string.titlecased)
        case "capitalize": return try value(string.capitalized)
        case "swapcase": return try value(string.swappedCase)
        case "isdecimal": return all { $0.numericType == .decimal }
        case "isdigit": return all { $0.numericType == .decimal || $0.numericType == .digit }
        case "isnumeric": return all { $0.numericType != nil }
        case "isalpha": return all { $0.isPythonLetter }
        case "isalnum": return all { $0.isPythonLetter || $0.numericType != nil }
        case "isspace": return .bool(!string.isEmpty && string.scalars.allSatisfy(\.isPythonSpace))
        case "isupper", "islower":
            return .bool(try test(String(name.dropFirst(2)), .string(string), TemplateArguments()))
        default: throw .failed("'str object' has no attribute '\(name)'")
        }
    }

    private func split(
        _ name: String, _ string: TemplateString, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        let values = try arguments.bind(name, "sep", "maxsplit")
        let limit = try limit(values[1])
        guard let separator = try optionalString(values[0], name) else {
            return try list(string.splitAtSpace(limit: limit, fromRight: name == "rsplit"))
        }
        guard !separator.isEmpty else { throw .failed("empty separator") }
        return try list(string.split(by: separator, limit: limit, fromRight: name == "rsplit"))
    }

    private func partition(
        _ name: String, _ string: TemplateString, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        let separator = try requiredString(try arguments.bind(name, "sep")[0], name)
        guard !separator.isEmpty else { throw .failed("empty separator") }
        let parts = string.split(by: separator, limit: 1, fromRight: name == "rpartition")
        let values = parts.map { TemplateValue.string($0) }
        if parts.count == 2 {
            let found = string.slice(parts[0].byteCount, string.byteCount - parts[1].byteCount)
            return .tuple([values[0], .string(found), values[1]])
        }
        return .tuple(name == "partition" ? values + [.string(""), .string("")] : [.string(""), .string("")] + values)
    }

    private func hasEnd(
        _ name: String, _ string: TemplateString, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> Bool {
        let value = try arguments.bind(name, "end")[0]
        let ends: [TemplateValue?] = if case .tuple(let elements) = value { elements.values } else { [value] }
        for end in ends {
            let end = try requiredString(end, name)
            if name == "startswith" ? string.hasPrefix(end) : string.hasSuffix(end) { return true }
        }
        return false
    }

    private func find(
        _ name: String, _ string: TemplateString, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        let part = try requiredString(try arguments.bind(name, "sub")[0], name)
        let index: Int?
        if name.hasPrefix("r") {
            let mirrored = string.reversed
            let offset = part.isEmpty ? 0 : mirrored.offsets(of: part.reversed, limit: 1).first
            index = offset.map { string.count - mirrored.scalarIndex(ofByte: $0) - part.count }
        } else {
            index = part.isEmpty ? 0 : string.offsets(of: part, limit: 1).first.map { string.scalarIndex(ofByte: $0) }
        }
        guard index != nil || name.hasSuffix("find") else { throw .failed("substring not found") }
        return .integer(index ?? -1)
    }

    private func padded(
        _ name: String, _ string: TemplateString, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateString {
        let values = try arguments.bind(name, "width", "fillchar")
        guard let width = values[0]?.wholeNumber else { throw .failed("\(name)() needs a width") }
        let fill = try optionalString(values[1], name) ?? " "
        guard fill.count == 1 else {
            throw .failed("The fill character must be exactly one character long")
        }
        if name == "zfill" {
            guard width > 0 else { return string }
            let sign = string.prefix(string.scalars.first == "-" || string.scalars.first == "+" ? 1 : 0)
            let digits = string.picking(Array(sign.count..<string.count))
            let filled = try digits.padded(to: width - sign.count, left: true, right: false, fill: "0")
            return try sign.appending(filled)
        }
        return try string.padded(to: width, left: name != "ljust", right: name != "rjust", fill: fill)
    }

    // MARK: Arguments

    func requiredString(_ value: TemplateValue?, _ function: String) throws(TemplateFailure) -> TemplateString {
        if case .undefined(let undefined) = value { throw .failed(undefined.message, undefined.kind) }
        guard let string = value?.string else {
            throw .failed("\(function)() needs a string, not \(value?.typeName ?? "nothing")")
        }
        return string
    }

    private func optionalString(
        _ value: TemplateValue?, _ function: String
    ) throws(TemplateFailure) -> TemplateString? {
        guard let value, !value.isNone else { return nil }
        return try requiredString(value, function)
    }

    /// Returns the maximum number of replacements or splits. A negative value means no limit.
    func limit(_ value: TemplateValue?) throws(TemplateFailure) -> Int {
        guard let value else { return .max }
        guard let limit = value.wholeNumber else {
            throw .failed("'\(value.typeName)' object cannot be interpreted as an integer", .type)
        }
        return limit < 0 ? .max : limit
    }

    func list(_ parts: [TemplateString]) throws(TemplateFailure) -> TemplateValue {
        try charge(parts.count)
        return .list(parts.map { .string($0) })
    }
}

extension Unicode.Scalar.Properties {
    fileprivate var isPythonLetter: Bool {
        switch generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }
}
