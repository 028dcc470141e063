// Methods of strings, lists and dictionaries. Methods that would change their receiver are rejected.

extension TemplateInterpreter {
    struct MethodNames {
        let safe: Set<String>
        var unsafe: Set<String> = []
    }

    static func methodNames(of value: TemplateValue) -> MethodNames? {
        switch value {
        case .string: stringMethods
        case .list: listMethods
        case .tuple, .iterable(.range, _): sequenceMethods
        case .dictionary: dictionaryMethods
        default: nil
        }
    }

    private static let stringMethods = MethodNames(safe: [
        "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "upper", "lower", "casefold", "title",
        "capitalize",
        "swapcase", "startswith", "endswith", "replace", "find", "rfind", "index", "rindex", "count", "join", "format",
        "removeprefix", "removesuffix", "partition", "rpartition", "center", "ljust", "rjust", "zfill", "isdigit",
        "isnumeric", "isdecimal", "isalpha", "isalnum", "isspace", "isupper", "islower",
    ])
    private static let listMethods = MethodNames(
        safe: ["index", "count", "copy"],
        unsafe: ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"])
    private static let sequenceMethods = MethodNames(safe: ["index", "count"])
    private static let dictionaryMethods = MethodNames(
        safe: ["get", "keys", "values", "items", "copy"], unsafe: ["clear", "pop", "popitem", "setdefault", "update"])

    func callMethod(
        _ name: String, of receiver: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        switch receiver {
        case .string(let string):
            try charge(string.byteCount / 16)
            return try stringMethod(name, string, arguments)
        case .list(let elements), .tuple(let elements), .iterable(_, let elements):
            return try sequenceMethod(name, receiver, elements, arguments)
        case .dictionary(let dictionary):
            try charge(name == "get" ? 1 : dictionary.count)
            return try dictionaryMethod(name, receiver, dictionary, arguments)
        default: throw .failed("'\(receiver.typeName)' object has no method '\(name)'")
        }
    }

    private func sequenceMethod(
        _ name: String, _ receiver: TemplateValue, _ elements: TemplateValue.Elements, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        if name == "copy" { return receiver }
        guard let item = try arguments.bind(name, "value")[0] else { throw .failed("\(name)() needs a value") }
        try charge(elements.weight)
        if name == "count" { return .integer(elements.values.count { $0.equals(item) }) }
        guard let index = elements.values.firstIndex(where: { $0.equals(item) }) else {
            throw .failed("\(try item.represented().text) is not in the sequence")
        }
        return .integer(index)
    }

    private func dictionaryMethod(
        _ name: String, _ receiver: TemplateValue, _ dictionary: TemplateDictionary, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue {
        if name == "get" {
            let values = try arguments.bind(name, "key", "default")
            guard let key = values[0] else { throw .failed("get() needs a key") }
            return dictionary[try self.key(key)] ?? values[1] ?? .none
        }
        _ = try arguments.bind(name)
        switch name {
        case "keys": return .iterable(.keys, TemplateValue.Elements(dictionary.keys))
        case "values": return .iterable(.values, TemplateValue.Elements(dictionary.values))
        case "items":
            return .iterable(.items, TemplateValue.Elements(dictionary.pairs.map { .tuple([$0.key, $0.value]) }))
        default: return receiver
        }
    }
}
