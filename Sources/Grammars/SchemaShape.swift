import JSON

/// One of several schemas that must all hold, with its path.
struct SchemaConjunct: Sendable {
    var schema: JSONValue
    var path: SchemaPath

    /// The pointer, if the schema is a `$ref` without other relevant keywords.
    var reference: String? {
        guard let object = schema.object, let pointer = object["$ref"]?.string,
            object.allSatisfy({ $0.name == "$ref" || !SchemaKeywords.isChecked($0.name) })
        else { return nil }
        return pointer
    }
}

/// The conjunction of several schemas, by the types of JSON.
struct SchemaShape {
    struct Types: OptionSet, Hashable {
        let rawValue: UInt8

        static let null = Types(rawValue: 1)
        static let boolean = Types(rawValue: 2)
        /// Whole numbers, and all others.
        static let integer = Types(rawValue: 4)
        static let fraction = Types(rawValue: 8)
        static let string = Types(rawValue: 16)
        static let array = Types(rawValue: 32)
        static let object = Types(rawValue: 64)
        static let number: Types = [.integer, .fraction]
        static let all = Types(rawValue: 127)

        static let names: [String: Types] = [
            "null": .null, "boolean": .boolean, "integer": .integer, "number": .number, "string": .string,
            "array": .array, "object": .object,
        ]

        init(rawValue: UInt8) { self.rawValue = rawValue }

        init(of value: JSONValue) {
            switch value {
            case .null: self = .null
            case .bool: self = .boolean
            case .string: self = .string
            case .array: self = .array
            case .object: self = .object
            default: self = DecimalNumber(value)?.isWhole ?? true ? .integer : .fraction
            }
        }
    }

    /// Alternatives: at least one of them must also hold; for `oneOf` exactly one.
    struct Choice {
        var branches: [SchemaConjunct]
        var isExact: Bool
    }

    struct Strings {
        var least = 0
        var most: Int?
        var patterns: [StringPattern] = []
        var formats: [(name: String, path: SchemaPath)] = []
    }

    struct Arrays {
        struct Part {
            var prefix: [SchemaConjunct]
            var rest: SchemaConjunct?
        }

        var least = 0
        var most: Int?
        var parts: [Part] = []
        /// The path of `uniqueItems`, if present.
        var unique: SchemaPath?
    }

    struct Objects {
        /// The keywords of one schema for members. They are kept per schema, since `additionalProperties` refers to the
        /// properties of its own schema.
        struct Part {
            var properties: JSONObject
            var patterns: [NamePattern]
            var additional: SchemaConjunct?
            var path: SchemaPath
        }

        var least = 0
        var most: Int?
        var parts: [Part] = []
        var required: [String] = []
        var isRequired: Set<[UInt8]> = []
        var names: [SchemaConjunct] = []
        var leastPath = SchemaPath.root

        mutating func require(_ name: String) {
            if isRequired.insert(Array(name.utf8)).inserted { required.append(name) }
        }
    }

    var path: SchemaPath
    var types = Types.all
    /// Whether a schema names its types. Otherwise keywords of one type imply that type.
    var namesTypes = false
    var meantTypes: Types = []
    /// From `enum` and `const`. If there are several, the others are among `sources`.
    var values: [JSONValue]?
    var valuesPath = SchemaPath.root
    var numbers = NumberRange()
    var multiples: NumberMultiples?
    var strings = Strings()
    var arrays = Arrays()
    var objects = Objects()
    var choices: [Choice] = []
    var exclusions: [SchemaConjunct] = []
    /// All schemas that values must conform to.
    var sources: [JSONValue] = []
    /// Pointers whose schemas have been added: adding one again changes nothing.
    var added: Set<String> = []
    /// The number of keywords other than those of types and the first of values.
    var restrictions = 0

    init(path: SchemaPath) { self.path = path }

    /// The types that are written.
    var effectiveTypes: Types { namesTypes || meantTypes.isEmpty ? types : types.intersection(meantTypes) }

    /// The same with fewer types.
    func with(_ types: Types) -> SchemaShape {
        var shape = self
        (shape.types, shape.namesTypes) = (types, true)
        return shape
    }
}

/// The classification of JSON Schema's keywords.
enum SchemaKeywords {
    static let number: Set<String> = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
    static let string: Set<String> = ["minLength", "maxLength", "pattern", "format"]
    static let array: Set<String> = [
        "items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems",
    ]
    static let object: Set<String> = [
        "properties", "patternProperties", "additionalProperties", "required", "minProperties", "maxProperties",
        "propertyNames", "dependentRequired", "dependentSchemas", "dependencies",
    ]
    static let general: Set<String> = [
        "type", "enum", "const", "$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "nullable",
    ]
    /// Assertions that are not supported.
    static let refused: Set<String> = [
        "contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef",
        "$recursiveRef", "extends", "disallow", "divisibleBy",
    ]

    /// Whether a keyword is an assertion. All others are annotations, which JSON Schema also specifies for unknown keywords.
    static func isChecked(_ name: String) -> Bool {
        number.contains(name) || string.contains(name) || array.contains(name) || object.contains(name)
            || general.contains(name) || refused.contains(name)
    }

    /// The types that a keyword applies to.
    static func types(of name: String) -> SchemaShape.Types {
        if number.contains(name) { return .number }
        if string.contains(name) { return .string }
        if array.contains(name) { return .array }
        return object.contains(name) ? .object : []
    }
}
