import JSON

// Reads the keywords for elements and members.

extension JSONSchemaGrammar {
    mutating func addArray(
        _ name: String, _ value: JSONValue, _ object: JSONObject, _ shape: inout SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) {
        let place = path.appending(name)
        switch name {
        case "minItems": shape.arrays.least = max(shape.arrays.least, try least(value, place))
        case "maxItems": shape.arrays.most = min(shape.arrays.most ?? .max, try most(value, place))
        case "uniqueItems":
            guard let isUnique = value.bool else { throw place.error("must be a Boolean") }
            if isUnique, shape.arrays.unique == nil { shape.arrays.unique = place }
        default:
            // All three are read together, at the first of them.
            let first = object.first { ["prefixItems", "items", "additionalItems"].contains($0.name) }
            guard first?.name == name else { return }
            var part = SchemaShape.Arrays.Part(prefix: [], rest: nil)
            // Before 2020, `items` may be an array, and `additionalItems` applies to the rest.
            let isOld = object["items"]?.array != nil
            let prefix = isOld ? "items" : "prefixItems"
            for (index, schema) in (object[prefix]?.array ?? []).enumerated() {
                part.prefix.append(SchemaConjunct(schema: schema, path: path.appending(prefix, at: index)))
            }
            let rest = isOld ? "additionalItems" : "items"
            part.rest = object[rest].map { SchemaConjunct(schema: $0, path: path.appending(rest)) }
            try builder.visit(part.prefix.count)
            shape.arrays.parts.append(part)
        }
    }

    mutating func addObject(
        _ name: String, _ value: JSONValue, _ object: JSONObject, _ shape: inout SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) {
        let place = path.appending(name)
        switch name {
        case "required":
            // In draft 3 it is a Boolean of the property itself.
            guard let names = value.array else { throw place.error("must be an array of strings") }
            try builder.visit(names.count)
            for name in names {
                guard let name = name.string else { throw place.error("must be an array of strings") }
                shape.objects.require(name)
            }
        case "minProperties":
            let count = try least(value, place)
            if count > shape.objects.least { (shape.objects.least, shape.objects.leastPath) = (count, place) }
        case "maxProperties": shape.objects.most = min(shape.objects.most ?? .max, try most(value, place))
        case "propertyNames":
            if value.bool != true { shape.objects.names.append(SchemaConjunct(schema: value, path: place)) }
        case "dependentRequired", "dependentSchemas", "dependencies":
            guard let dependencies = value.object else { throw place.error("must be an object") }
            for (name, needed) in dependencies { try addDependency(of: name, needed, &shape, place.appending(name)) }
        default:
            let first = object.first {
                ["properties", "patternProperties", "additionalProperties"].contains($0.name)
            }
            guard first?.name == name else { return }
            guard let properties = (object["properties"] ?? [:]).object else {
                throw path.appending("properties").error("must be an object")
            }
            var part = SchemaShape.Objects.Part(
                properties: properties, patterns: [],
                additional: object["additionalProperties"].map {
                    SchemaConjunct(schema: $0, path: path.appending("additionalProperties"))
                }, path: path)
            try builder.visit(properties.count)
            for (pattern, schema) in object["patternProperties"]?.object ?? [:] {
                part.patterns.append(
                    try NamePattern(pattern, schema, path: path.appending("patternProperties", pattern), &builder))
            }
            shape.objects.parts.append(part)
        }
    }

    /// A dependency as two alternatives: the member is absent, or its requirement holds.
    private mutating func addDependency(
        of name: String, _ needed: JSONValue, _ shape: inout SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) {
        var names: [JSONValue] = [.string(name)]
        var schema: JSONValue = true
        if let needed = needed.array {
            try builder.visit(needed.count)
            names += needed.filter { $0.string != nil }
        } else {
            schema = needed
        }
        let absent: JSONValue = ["properties": .object(JSONObject(dictionaryLiteral: (name, false)))]
        let present: JSONValue = ["required": .array(JSONArray(names)), "allOf": [schema]]
        // A member that is required anyway leaves one alternative.
        if shape.objects.isRequired.contains(Array(name.utf8)) {
            return try add(SchemaConjunct(schema: present, path: path), to: &shape)
        }
        shape.choices.append(
            SchemaShape.Choice(
                branches: [absent, present].map { SchemaConjunct(schema: $0, path: path) }, isExact: false))
    }
}
