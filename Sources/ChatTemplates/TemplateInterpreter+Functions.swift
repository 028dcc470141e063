// The global functions.

extension TemplateInterpreter {
    static let functionNames: Set<String> = [
        "range", "dict", "namespace", "cycler", "joiner", "raise_exception", "strftime_now",
    ]

    func callFunction(_ name: String, _ arguments: TemplateArguments) throws(TemplateFailure) -> TemplateValue {
        switch name {
        case "raise_exception":
            let message = try arguments.bind(name, "message")[0]
            throw .raised(try message?.printed().text ?? "")
        case "strftime_now":
            guard let format = try arguments.bind(name, "format")[0]?.string else {
                throw .failed("strftime_now() needs a format string")
            }
            return try value(try TemplateClock.formatted(now, format))
        case "range": return try range(arguments)
        case "dict": return .dictionary(try dictionary(name, arguments))
        case "namespace":
            let namespace = TemplateNamespace()
            for (key, value) in try dictionary(name, arguments).pairs {
                try namespace.set(try key.printed().text, value)
            }
            return object(namespace)
        case "cycler":
            guard !arguments.positional.isEmpty else { throw .failed("at least one item has to be provided") }
            return object(TemplateCycler(arguments.positional))
        case "joiner": return object(TemplateJoiner(try arguments.bind(name, "sep")[0] ?? .string(", ")))
        default: throw .failed("'\(name)' is undefined")
        }
    }

    private func range(_ arguments: TemplateArguments) throws(TemplateFailure) -> TemplateValue {
        var bounds: [Int] = []
        for value in arguments.positional {
            if case .undefined(let undefined) = value { throw .failed(undefined.message, undefined.kind) }
            guard let bound = value.wholeNumber else {
                throw .failed("'\(value.typeName)' object cannot be interpreted as an integer", .type)
            }
            bounds.append(bound)
        }
        guard arguments.named.isEmpty, 1...3 ~= bounds.count else { throw .failed("range() takes 1 to 3 arguments") }
        let start = bounds.count == 1 ? 0 : bounds[0]
        let end = bounds.count == 1 ? bounds[0] : bounds[1]
        let step = bounds.count == 3 ? bounds[2] : 1
        guard step != 0 else { throw .failed("range() arg 3 must not be zero") }
        let numbers = stride(from: start, to: end, by: step)
        let limit = TemplateLimits.rangeCount
        // The number of elements may exceed 64 bits, so the elements are counted.
        let values = numbers.prefix(limit + 1).map { TemplateValue.integer($0) }
        guard values.count <= limit else { throw .failed("range() is too big, the most is \(limit) numbers") }
        try charge(values.count)
        return .iterable(.range, TemplateValue.Elements(values))
    }

    /// Python's `dict(mapping or pairs, name=value, ...)`.
    private func dictionary(
        _ function: String, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateDictionary {
        guard arguments.positional.count <= 1 else {
            throw .failed("\(function)() takes at most 1 positional argument")
        }
        var dictionary = TemplateDictionary()
        if let first = arguments.positional.first {
            if case .dictionary(let members) = first {
                try charge(members.count)
                dictionary = members
            } else {
                for pair in try elements(of: first) {
                    let pair = try elements(of: pair)
                    guard pair.count == 2 else { throw .failed("\(function)() needs pairs of key and value") }
                    dictionary.set(try key(pair[0]), pair[1])
                }
            }
        }
        for (name, value) in arguments.named { dictionary.set(.string(name), value) }
        return dictionary
    }
}
