import JSON

/// Several schemas that all must hold, as one: `allOf`, and `$ref` with what stands beside it. O(members of all of them).
struct SchemaMerger {
    private var members = JSONObject()
    /// The schemas of each property, in order.
    private var properties: [(name: String, schemas: [JSONValue])] = []
    /// By the bytes of their names: strings compare otherwise.
    private var propertyNumbers: [[UInt8]: Int] = [:]
    private var required: [JSONValue] = []
    /// Pointers whose schemas have been added: to add one again changes nothing.
    var added: Set<String> = []
    private var requiredNames: Set<[UInt8]> = []

    /// Adds a member of one of the schemas.
    ///
    /// - Throws: `GrammarError` for what cannot be enforced together, or beyond the visits of the builder.
    mutating func add(
        _ name: String, _ value: JSONValue, _ path: SchemaPath, _ builder: inout GrammarBuilder
    ) throws(GrammarError) {
        switch (name, value) {
        case ("properties", .object(let object)):
            if members[name] == nil { members[name] = .object([:]) }
            for (key, schema) in object { try add(property: key, schema, &builder) }
        case ("required", .array(let names)):
            if members[name] == nil { members[name] = .array([]) }
            try builder.visit(names.count)
            for name in names where requiredNames.insert(Array((name.string ?? "").utf8)).inserted {
                required.append(name)
            }
        default:
            guard let present = members[name] else {
                members[name] = value
                return
            }
            try builder.visit(value.weight(upTo: GrammarBuilder.mostVisits))
            if present != value { members[name] = try Self.both(present, value, name, path) }
        }
    }

    private mutating func add(
        property name: String, _ schema: JSONValue, _ builder: inout GrammarBuilder
    ) throws(GrammarError) {
        try builder.visit()
        guard let number = propertyNumbers[Array(name.utf8)] else {
            propertyNumbers[Array(name.utf8)] = properties.count
            return properties.append((name, [schema]))
        }
        try builder.visit(schema.weight(upTo: GrammarBuilder.mostVisits))
        if properties[number].schemas.last != schema { properties[number].schemas.append(schema) }
    }

    /// The schema that says all that the schemas say.
    var schema: JSONObject {
        var schema = members
        if members["properties"]?.object != nil {
            var object = JSONObject()
            for (name, schemas) in properties {
                object[name] = schemas.count == 1 ? schemas[0] : ["allOf": .array(schemas)]
            }
            schema["properties"] = .object(object)
        }
        if members["required"]?.array != nil { schema["required"] = .array(required) }
        return schema
    }

    /// What two schemas together say under one keyword.
    private static func both(
        _ one: JSONValue, _ other: JSONValue, _ name: String, _ path: SchemaPath
    ) throws(GrammarError) -> JSONValue {
        switch name {
        case "minLength", "minItems", "minimum", "exclusiveMinimum":
            if let a = one.double, let b = other.double { return a < b ? other : one }
        case "maxLength", "maxItems", "maximum", "exclusiveMaximum":
            if let a = one.double, let b = other.double { return a > b ? other : one }
        case "additionalProperties":
            if one.bool == false || other.bool == false { return false }
        default: break
        }
        throw path.appending(name).error("cannot be enforced together with another '\(name)'")
    }
}

extension JSONValue {
    /// Values inside, itself included, and pieces of 64 bytes of its text, or more than `most` when there are more. O(most).
    fileprivate func weight(upTo most: Int) -> Int {
        var weight = 0
        var work = [self]
        while weight <= most, let value = work.popLast() {
            weight += 1 + (value.string?.utf8.count ?? 0) / 64
            if case .array(let elements) = value { work += elements }
            if case .object(let object) = value { for member in object { work.append(member.value) } }
        }
        return weight
    }
}
