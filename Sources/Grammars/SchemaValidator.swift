import JSON

/// Checks whether given values conform to a schema: those of `enum` and `const` beside other keywords.
struct SchemaValidator {
    private static let mostDepth = 64

    private let root: JSONValue
    private var patterns: [String: NamePattern] = [:]
    private var depth = 0

    init(root: JSONValue) { self.root = root }

    /// Formats are ignored.
    ///
    /// - Throws: `GrammarError` for a pattern that cannot be enforced, or if the visits of the builder are exceeded.
    mutating func isValid(
        _ value: JSONValue, _ schema: JSONValue, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Bool {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else {
            throw GrammarError(path: "", reason: "nests more than \(Self.mostDepth) schemas around given values")
        }
        guard let object = schema.object else { return schema.bool ?? true }
        try builder.visit(1 + object.count)
        for (name, keyword) in object where try !holds(name, keyword, of: value, object, &builder) { return false }
        return true
    }

    private mutating func holds(
        _ name: String, _ keyword: JSONValue, of value: JSONValue, _ schema: JSONObject, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Bool {
        switch name {
        case "type":
            let names = keyword.string.map { [$0] } ?? (keyword.array ?? []).compactMap(\.string)
            let types = names.reduce(into: SchemaShape.Types()) { $0.formUnion(SchemaShape.Types.names[$1] ?? []) }
            return types.contains(SchemaShape.Types(of: value)) || value.isNull && schema["nullable"]?.bool == true
        case "enum":
            let values = keyword.array ?? []
            try builder.visit(values.count)
            return values.contains { Self.areEqual($0, value) }
        case "const": return Self.areEqual(keyword, value)
        case "$ref":
            guard let pointer = keyword.string, let target = root.target(ofReference: pointer) else {
                throw GrammarError(path: "$ref", reason: "cannot be followed")
            }
            return try isValid(value, target, &builder)
        case "not": return try !isValid(value, keyword, &builder)
        case "allOf", "anyOf", "oneOf":
            let schemas = keyword.array ?? []
            var count = 0
            for schema in schemas where try isValid(value, schema, &builder) { count += 1 }
            return name == "allOf" ? count == schemas.count : name == "anyOf" ? count > 0 : count == 1
        case "if":
            let branch = try isValid(value, keyword, &builder) ? schema["then"] : schema["else"]
            return try branch.map { branch throws(GrammarError) in try isValid(value, branch, &builder) } ?? true
        default: break
        }
        switch value {
        case .string(let text): return try holds(name, keyword, ofText: text, &builder)
        case .array(let elements): return try holds(name, keyword, ofElements: Array(elements), schema, &builder)
        case .object(let members): return try holds(name, keyword, ofMembers: members, schema, &builder)
        default: return holds(name, keyword, ofNumber: value, schema)
        }
    }

    private func holds(_ name: String, _ keyword: JSONValue, ofNumber value: JSONValue, _ schema: JSONObject) -> Bool {
        guard SchemaKeywords.number.contains(name), let number = DecimalNumber(value) else { return true }
        guard let bound = DecimalNumber(keyword) else { return true }
        switch name {
        case "minimum": return schema["exclusiveMinimum"]?.bool == true ? bound < number : !(number < bound)
        case "maximum": return schema["exclusiveMaximum"]?.bool == true ? number < bound : !(bound < number)
        case "exclusiveMinimum": return bound < number
        case "exclusiveMaximum": return number < bound
        default: return !bound.isZero && number.magnitude.isMultiple(of: bound.magnitude)
        }
    }

    private mutating func holds(
        _ name: String, _ keyword: JSONValue, ofText text: String, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Bool {
        switch name {
        case "minLength": return text.unicodeScalars.count >= keyword.integer ?? 0
        case "maxLength": return text.unicodeScalars.count <= keyword.integer ?? .max
        case "pattern":
            for pattern in StringPattern.split(keyword.string ?? "", SchemaPath.root.appending("pattern")) {
                guard try matches(text, pattern, &builder) != pattern.isNegated else { return false }
            }
            return true
        default: return true
        }
    }

    private mutating func matches(
        _ text: String, _ pattern: StringPattern, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Bool {
        guard let expression = pattern.expression else { return true }
        return try matches(text, expression, &builder)
    }

    private mutating func matches(
        _ text: String, _ expression: String, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Bool {
        if patterns[expression] == nil {
            let path = SchemaPath.root.appending("pattern")
            patterns[expression] = try NamePattern(expression, true, path: path, &builder)
        }
        return try patterns[expression]?.matches(text, &builder) ?? true
    }

    private mutating func holds(
        _ name: String, _ keyword: JSONValue, ofElements elements: [JSONValue], _ schema: JSONObject,
        _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Bool {
        switch name {
        case "minItems": return elements.count >= keyword.integer ?? 0
        case "maxItems": return elements.count <= keyword.integer ?? .max
        case "uniqueItems":
            guard keyword.bool == true else { return true }
            try builder.visit(elements.count * elements.count)
            return !elements.indices.contains { index in
                elements[..<index].contains { Self.areEqual($0, elements[index]) }
            }
        case "items", "prefixItems", "additionalItems":
            let prefix = (schema["prefixItems"] ?? schema["items"])?.array ?? []
            if let schemas = keyword.array {
                for (schema, element) in zip(schemas, elements) where try !isValid(element, schema, &builder) {
                    return false
                }
                return true
            }
            if name == "additionalItems", schema["items"]?.array == nil { return true }
            for element in elements.dropFirst(prefix.count) where try !isValid(element, keyword, &builder) {
                return false
            }
            return true
        default: return true
        }
    }

    private mutating func holds(
        _ name: String, _ keyword: JSONValue, ofMembers members: JSONObject, _ schema: JSONObject,
        _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Bool {
        switch name {
        case "minProperties": return members.count >= keyword.integer ?? 0
        case "maxProperties": return members.count <= keyword.integer ?? .max
        case "required": return (keyword.array ?? []).allSatisfy { members[$0.string ?? ""] != nil }
        case "propertyNames":
            for (name, _) in members where try !isValid(.string(name), keyword, &builder) { return false }
            return true
        case "properties", "patternProperties", "additionalProperties":
            let first = schema.first {
                ["properties", "patternProperties", "additionalProperties"].contains($0.name)
            }
            guard first?.name == name else { return true }
            for (name, value) in members where try !isValidMember(name, value, schema, &builder) { return false }
            return true
        case "dependentRequired", "dependentSchemas", "dependencies":
            for (name, needed) in keyword.object ?? [:] where members[name] != nil {
                if let names = needed.array {
                    guard names.allSatisfy({ members[$0.string ?? ""] != nil }) else { return false }
                } else if try !isValid(.object(members), needed, &builder) {
                    return false
                }
            }
            return true
        default: return true
        }
    }

    private mutating func isValidMember(
        _ name: String, _ value: JSONValue, _ schema: JSONObject, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Bool {
        var isKnown = false
        if let property = schema["properties"]?[name] {
            isKnown = true
            guard try isValid(value, property, &builder) else { return false }
        }
        for (expression, property) in schema["patternProperties"]?.object ?? [:]
        where try matches(name, expression, &builder) {
            isKnown = true
            guard try isValid(value, property, &builder) else { return false }
        }
        guard !isKnown, let additional = schema["additionalProperties"] else { return true }
        return try isValid(value, additional, &builder)
    }

    /// Whether two values are equal in JSON Schema: `1` equals `1.0`, and the order of members is ignored.
    static func areEqual(_ one: JSONValue, _ other: JSONValue) -> Bool {
        switch (one, other) {
        case (.array(let left), .array(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { areEqual($0, $1) }
        case (.object(let left), .object(let right)):
            return left.count == right.count
                && left.allSatisfy { member in right[member.name].map { areEqual(member.value, $0) } ?? false }
        default:
            guard let left = DecimalNumber(one), let right = DecimalNumber(other) else { return one == other }
            return left == right
        }
    }
}
