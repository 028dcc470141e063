import JSON

/// One of several schemas that all must hold, with its place.
struct SchemaConjunct: Sendable {
    var schema: JSONValue
    var path: SchemaPath

    /// The pointer, where the schema is a `$ref` and nothing else that counts.
    var reference: String? {
        guard let object = schema.object, let pointer = object["$ref"]?.string,
            object.allSatisfy({ $0.name == "$ref" || !SchemaKeywords.isChecked($0.name) })
        else { return nil }
        return pointer
    }
}

/// What several schemas that all must hold say together, by the types of JSON.
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

    /// Alternatives: one of them must hold besides; of `oneOf` exactly one.
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
        /// Where `uniqueItems` stands, if it does.
        var unique: SchemaPath?
    }

    struct Objects {
        /// What one schema says of members: it matters which, since `additionalProperties` is about its own properties.
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
    /// Whether a schema names its types. Otherwise keywords of one type mean that type.
    var namesTypes = false
    var meantTypes: Types = []
    /// Of `enum` and `const`. The others of several are among `sources`.
    var values: [JSONValue]?
    var valuesPath = SchemaPath.root
    var numbers = NumberRange()
    var multiples: NumberMultiples?
    var strings = Strings()
    var arrays = Arrays()
    var objects = Objects()
    var choices: [Choice] = []
    var exclusions: [SchemaConjunct] = []
    /// All that values have to be valid under.
    var sources: [JSONValue] = []
    /// Pointers whose schemas have been added: to add one again changes nothing.
    var added: Set<String> = []
    /// Keywords beside those of types and the first of values.
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

/// What the keywords of JSON Schema are to this server.
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
    /// Assertions that no grammar is made of.
    static let refused: Set<String> = [
        "contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef",
        "$recursiveRef", "extends", "disallow", "divisibleBy",
    ]

    /// Whether a keyword says what is valid. All others are annotations, as JSON Schema says of those it does not know.
    static func isChecked(_ name: String) -> Bool {
        number.contains(name) || string.contains(name) || array.contains(name) || object.contains(name)
            || general.contains(name) || refused.contains(name)
    }

    /// The types that a keyword is about.
    static func types(of name: String) -> SchemaShape.Types {
        if number.contains(name) { return .number }
        if string.contains(name) { return .string }
        if array.contains(name) { return .array }
        return object.contains(name) ? .object : []
    }
}
