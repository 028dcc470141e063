extension TemplateInterpreter {
    /// Applies a filter for sequences. Returns `nil` if there is no such filter with this name.
    func sequenceFilter(
        _ name: String, _ input: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue? {
        switch name {
        case "list":
            _ = try arguments.bind(name)
            return .list(try elements(of: input))
        case "items":
            _ = try arguments.bind(name)
            if input.isUndefined { return .generator([]) }
            guard case .dictionary(let dictionary) = input else {
                throw .failed("Can only get item pairs from a mapping.", .type)
            }
            try charge(dictionary.count)
            return .generator(dictionary.pairs.map { .tuple([$0.key, $0.value]) })
        case "first", "last":
            _ = try arguments.bind(name)
            let elements = try elements(of: input)
            return (name == "first" ? elements.first : elements.last)
                ?? .undefined(.other("No \(name) item, sequence was empty."))
        case "join": return try joined(input, arguments)
        case "reverse":
            _ = try arguments.bind(name)
            if let string = input.string { return try value(string.reversed) }
            return .generator(try elements(of: input).reversed())
        case "map", "select", "reject", "selectattr", "rejectattr":
            // Only these filters accept any false value as an empty sequence.
            guard input.isTrue else { return .generator([]) }
            return .generator(name == "map" ? try mapped(input, arguments) : try selected(name, input, arguments))
        case "sum":
            let values = try arguments.bind(name, "attribute", "start")
            var sum = values[1] ?? .integer(0)
            for element in try elements(of: input) {
                sum = try calculate(.add, sum, try self.value(of: values[0], in: element))
            }
            return sum
        case "sort", "min", "max", "unique", "groupby", "dictsort": return try orderFilter(name, input, arguments)
        case "batch", "slice": return .generator(try grouped(name, input, arguments))
        default: return nil
        }
    }

    private func joined(
        _ input: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        let values = try arguments.bind("join", "d", "attribute")
        let separator = try values[0]?.printed() ?? ""
        var builder = TemplateStringBuilder()
        for (index, element) in try elements(of: input).enumerated() {
            if index > 0 { try builder.append(separator) }
            try builder.append(try self.value(of: values[1], in: element).printed())
        }
        return try value(builder.string)
    }

    private func mapped(
        _ input: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> [TemplateValue] {
        var result: [TemplateValue] = []
        if arguments.positional.isEmpty, arguments.named.contains(where: { $0.name == "attribute" }) {
            let values = try arguments.bind("map", "attribute", "default")
            for element in try elements(of: input) {
                result.append(try value(of: values[0], in: element, default: values[1]))
            }
            return result
        }
        guard let name = arguments.positional.first?.string else { throw .failed("map requires a filter argument") }
        var rest = arguments
        rest.positional.removeFirst()
        for element in try elements(of: input) { result.append(try filter(name.text, element, rest)) }
        return result
    }

    /// Applies `select`, `reject`, `selectattr` or `rejectattr`. The latter two take the name of an attribute first. The next
    /// argument is a test.
    private func selected(
        _ name: String, _ input: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> [TemplateValue] {
        var rest = arguments
        var attribute: TemplateValue?
        if name.hasSuffix("attr") {
            guard !rest.positional.isEmpty else { throw .failed("missing parameter for attribute name") }
            attribute = rest.positional.removeFirst()
        }
        var testName: String?
        if !rest.positional.isEmpty { testName = try requiredString(rest.positional.removeFirst(), name).text }
        let isSelecting = name.hasPrefix("select")
        var result: [TemplateValue] = []
        for element in try elements(of: input) {
            let subject = try value(of: attribute, in: element)
            let isAccepted = try testName.map { name throws(TemplateFailure) in try test(name, subject, rest) }
            if isAccepted ?? subject.isTrue == isSelecting { result.append(element) }
        }
        return result
    }

    private func grouped(
        _ name: String, _ input: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> [TemplateValue] {
        let values = try arguments.bind(name, name == "batch" ? "linecount" : "slices", "fill_with")
        guard let count = values[0]?.wholeNumber, count > 0 else { throw .failed("\(name)() needs a positive number") }
        let fill = values[1].flatMap { $0.isNone ? nil : $0 }
        let elements = try elements(of: input)
        try charge(count)
        if name == "batch" {
            return stride(from: 0, to: elements.count, by: count).map { start in
                let part = Array(elements[start..<min(start + count, elements.count)])
                return .list(part + repeatElement(fill ?? .none, count: fill == nil ? 0 : count - part.count))
            }
        }
        let (size, surplus) = elements.count.quotientAndRemainder(dividingBy: count)
        return (0..<count).map { index in
            let start = index * size + min(index, surplus)
            let part = Array(elements[start..<start + size + (index < surplus ? 1 : 0)])
            return .list(index >= surplus && surplus > 0 ? part + (fill.map { [$0] } ?? []) : part)
        }
    }

    /// Returns the attribute of an element that a filter's `attribute` argument names (`a`, `a.b` or `0`), or the element itself
    /// without one.
    func value(
        of attribute: TemplateValue?, in element: TemplateValue, default fallback: TemplateValue? = nil
    ) throws(TemplateFailure) -> TemplateValue {
        guard let attribute, !attribute.isNone else { return element }
        guard let path = attribute.string else { return try self.element(attribute, of: element) }
        var value = element
        for part in path.split(by: ".", limit: .max, fromRight: false) {
            value = try self.element(Int(part.text).map { .integer($0) } ?? .string(part), of: value)
            if value.isUndefined, let fallback { value = fallback }
        }
        return value
    }
}
