import JSON

/// A value of the template language. Lists and dictionaries are immutable, because the sandbox allows nothing that changes them.
enum TemplateValue {
    case undefined(Undefined)
    case none
    case bool(Bool)
    case integer(Int)
    /// The digits of an integer that does not fit 64 bits. It can be printed and compared, but not used in arithmetic.
    case bigInteger(String)
    case double(Double)
    case string(TemplateString)
    case list(Elements)
    case tuple(Elements)
    /// A view or a generator in Python. It can be iterated over, and has its own printed form.
    case iterable(Iterable, Elements)
    case dictionary(TemplateDictionary)
    /// A method that was looked up by name in its receiver.
    indirect case method(TemplateValue, name: String)
    case function(String)
    case object(any TemplateObject)

    /// The reason why a value is undefined, for the error message when it is used.
    enum Undefined {
        case variable(String)
        case member(String, of: String)
        /// The sandbox does not allow access to the attribute.
        case unsafe(String, of: String)
        case other(String)

        var message: String {
            switch self {
            case .variable(let name): "'\(name)' is undefined"
            case .member(let name, let type): "'\(type)' has no attribute '\(name)'"
            case .unsafe(let name, let type): "access to attribute '\(name)' of '\(type)' object is unsafe."
            case .other(let message): message
            }
        }

        var kind: TemplateError.Kind { if case .unsafe = self { .unsafe } else { .undefined } }
    }

    enum Iterable: String {
        case generator, range
        case keys = "dict_keys"
        case values = "dict_values"
        case items = "dict_items"
    }

    /// The elements of a list, with its depth and weight, which are bounded because templates are untrusted.
    struct Elements {
        let values: [TemplateValue]
        let depth: Int
        let weight: Int

        init(_ values: [TemplateValue]) {
            self.values = values
            var (depth, weight) = (0, 1)
            for value in values {
                depth = max(depth, value.depth)
                weight = weight.addingSaturated(value.weight)
            }
            (self.depth, self.weight) = (depth + 1, weight)
        }
    }
}

extension TemplateValue {
    static func list(_ values: [TemplateValue]) -> TemplateValue { .list(Elements(values)) }
    static func tuple(_ values: [TemplateValue]) -> TemplateValue { .tuple(Elements(values)) }
    static func generator(_ values: [TemplateValue]) -> TemplateValue { .iterable(.generator, Elements(values)) }
    /// Creates text of the template itself, or a constant of the language.
    static func string(trusted text: String) -> TemplateValue { .string(TemplateString(trusted: text)) }

    /// - Parameter isTrusted: whether the strings in the value are trusted.
    init(_ json: JSONValue, isTrusted: Bool) {
        switch json {
        case .null: self = .none
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .bigInteger(let digits): self = .bigInteger(digits)
        case .double(let value): self = .double(value)
        case .string(let text): self = .string(TemplateString(text, origin: TemplateOrigin(isTrusted: isTrusted)))
        case .array(let elements): self = .list(elements.map { TemplateValue($0, isTrusted: isTrusted) })
        case .object(let object): self = .dictionary(TemplateDictionary(object) { _ in isTrusted })
        }
    }

    /// The nesting depth of containers.
    var depth: Int {
        switch self {
        case .list(let elements), .tuple(let elements), .iterable(_, let elements): elements.depth
        case .dictionary(let dictionary): dictionary.depth
        case .method(let receiver, _): receiver.depth + 1
        default: 0
        }
    }

    /// The number of steps to traverse the whole value.
    var weight: Int {
        switch self {
        case .string(let string): 1 + string.byteCount / 64
        case .list(let elements), .tuple(let elements), .iterable(_, let elements): elements.weight
        case .dictionary(let dictionary): dictionary.weight
        default: 1
        }
    }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }
    var isNone: Bool { if case .none = self { true } else { false } }
    var string: TemplateString? { if case .string(let string) = self { string } else { nil } }

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .double(let value): value != 0
        case .string(let string): !string.isEmpty
        case .list(let elements), .tuple(let elements): !elements.values.isEmpty
        case .iterable(let kind, let elements): kind == .generator || !elements.values.isEmpty
        case .dictionary(let dictionary): !dictionary.isEmpty
        case .bigInteger, .method, .function, .object: true
        }
    }

    /// The name of the value's type in Python's error messages.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .bool: "bool"
        case .integer, .bigInteger: "int"
        case .double: "float"
        case .string: "str"
        case .list: "list"
        case .tuple: "tuple"
        case .iterable(let kind, _): kind.rawValue
        case .dictionary: "dict"
        case .method: "method"
        case .function: "function"
        case .object(let object): object.typeName
        }
    }

    /// The description of the value in an error for a missing attribute.
    var missingOwner: String { isNone ? "None" : typeName + " object" }
}

extension Int {
    func addingSaturated(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
