// The tests of `x is ...`.

extension TemplateInterpreter {
    func test(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> Bool {
        if let operation = Self.comparisonTests[name] {
            guard let other = try arguments.bind(name, "other")[0] else {
                throw .failed("test '\(name)' needs a value")
            }
            return try compare(operation, value, other)
        }
        switch name {
        case "divisibleby":
            guard let divisor = try arguments.bind(name, "num")[0] else {
                throw .failed("test '\(name)' needs a number")
            }
            return !(try calculate(.remainder, value, divisor).isTrue)
        case "sameas":
            guard let other = try arguments.bind(name, "other")[0] else {
                throw .failed("test '\(name)' needs a value")
            }
            return try areEqual(value, other) ? value.typeName == other.typeName : false
        default: _ = try arguments.bind(name)
        }
        switch name {
        case "defined": return !value.isUndefined
        case "undefined": return value.isUndefined
        case "none": return value.isNone
        case "boolean": if case .bool = value { return true }
        case "true": if case .bool(true) = value { return true }
        case "false": if case .bool(false) = value { return true }
        case "number": return value.number != nil
        case "integer": return value.typeName == "int"
        case "float": return value.typeName == "float"
        case "string": return value.string != nil
        case "mapping": if case .dictionary = value { return true }
        case "iterable":
            switch value {
            case .string, .list, .tuple, .iterable, .dictionary, .undefined: return true
            default: return false
            }
        case "sequence":
            switch value {
            case .string, .list, .tuple, .iterable(.range, _), .dictionary, .undefined: return true
            default: return false
            }
        case "callable":
            switch value {
            case .function, .method, .undefined: return true
            case .object(let object):
                return object is TemplateMacro || object is TemplateJoiner || object is TemplateLoop
            default: return false
            }
        case "odd", "even":
            return try calculate(.remainder, value, .integer(2)).equals(.integer(name == "odd" ? 1 : 0))
        case "lower", "upper":
            try charge(value.weight)
            let text = try value.printed()
            let isCased = text.scalars.contains { $0.properties.isCased }
            return isCased && text == (name == "lower" ? text.lowercased : text.uppercased)
        case "escaped": return false
        case "filter": return value.string.map { Self.filterNames.contains($0.text) } ?? false
        case "test": return value.string.map { Self.testNames.contains($0.text) } ?? false
        default: throw .failed("No test named '\(name)'.", .unknownName)
        }
        return false
    }

    private static let comparisonTests: [String: TemplateExpression.Comparison] = [
        "eq": .equal, "equalto": .equal, "==": .equal, "ne": .notEqual, "!=": .notEqual, "lt": .less, "lessthan": .less,
        "<": .less, "le": .lessOrEqual, "<=": .lessOrEqual, "gt": .greater, "greaterthan": .greater, ">": .greater,
        "ge": .greaterOrEqual, ">=": .greaterOrEqual, "in": .in,
    ]

    private static let testNames: Set<String> = Set(comparisonTests.keys).union([
        "divisibleby", "sameas", "defined", "undefined", "none", "boolean", "true", "false", "number", "integer",
        "float",
        "string", "mapping", "iterable", "sequence", "callable", "odd", "even", "lower", "upper", "escaped", "filter",
        "test",
    ])
}
