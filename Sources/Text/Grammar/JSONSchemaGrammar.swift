/// JSON Schema as a grammar: every text of the grammar is valid under the schema. Not the reverse, where a part of what is
/// valid suffices: members come in the order of `properties`, and those that a schema does not name are left out where it
/// names some.
///
/// A keyword that cannot be enforced is refused with its place; never ignored.
struct JSONSchemaGrammar {
    typealias Part = GrammarBuilder.Part

    /// What says nothing about validity.
    private static let annotations: Set<String> = [
        "title", "description", "default", "examples", "example", "$schema", "$id", "id", "$comment", "deprecated",
        "readOnly", "writeOnly", "$defs", "definitions", "contentMediaType", "contentEncoding", "contentSchema",
    ]
    private static let keywords: [String: Set<String>] = [
        "object": ["properties", "required", "additionalProperties", "patternProperties"],
        "array": ["items", "prefixItems", "minItems", "maxItems"],
        "string": ["minLength", "maxLength", "pattern", "format"],
        "number": ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
        "integer": ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
        "boolean": [], "null": [],
    ]
    private static let types = ["object", "array", "string", "number", "integer", "boolean", "null"]
    private static let combining: Set<String> = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"]
    static let mostRepetitions = 10_000
    private static let mostDepth = 100

    private let root: JSONValue
    var builder: GrammarBuilder
    let json: JSONGrammar
    /// Rules of what `$ref` names.
    private var references: [String: Int] = [:]
    private var depth = 0

    /// The part for a schema.
    ///
    /// - Throws: `GrammarError` that names the keyword at fault.
    static func part(
        _ schema: JSONValue, json: JSONGrammar, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> GrammarBuilder.Part {
        var compiler = JSONSchemaGrammar(root: schema, builder: builder, json: json)
        let part = try compiler.part(schema, "")
        builder = compiler.builder
        return part
    }

    private init(root: JSONValue, builder: GrammarBuilder, json: JSONGrammar) {
        self.root = root
        self.builder = builder
        self.json = json
    }

    mutating func part(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Part {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else {
            throw GrammarError(path: path, reason: "nests more than \(Self.mostDepth) schemas")
        }
        if schema.bool == true { return json.value }
        guard let object = schema.object else {
            throw GrammarError(
                path: path, reason: schema.bool == false ? "allows nothing" : "must be an object or true")
        }
        try checkKeywords(object, path)
        if object["allOf"] != nil || object["$ref"] != nil && Self.restricts(object, beside: "$ref") {
            return try part(.object(try merged(object, path, [])), path)
        }
        if let reference = object["$ref"] { return try referenced(reference, Self.join(path, "$ref")) }
        if let values = object["enum"] {
            guard let values = values.array, !values.isEmpty else {
                throw GrammarError(path: Self.join(path, "enum"), reason: "must be an array that is not empty")
            }
            return try literals(values, object, Self.join(path, "enum"))
        }
        if let value = object["const"] { return try literals([value], object, Self.join(path, "const")) }
        for keyword in ["anyOf", "oneOf"] {
            guard let schemas = object[keyword] else { continue }
            guard !Self.restricts(object, beside: keyword) else { return try distributed(object, keyword, path) }
            guard let schemas = schemas.array, !schemas.isEmpty else {
                throw GrammarError(path: Self.join(path, keyword), reason: "must be an array that is not empty")
            }
            var choices: [Part] = []
            for (index, schema) in schemas.enumerated() {
                choices.append(try part(schema, Self.join(path, "\(keyword)[\(index)]")))
            }
            return .choice(choices)
        }
        return try typed(object, path)
    }

    static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : path + "." + name }

    /// Whether members beside `keyword` say something about validity.
    private static func restricts(_ object: JSONObject, beside keyword: String) -> Bool {
        object.contains { $0.name != keyword && !annotations.contains($0.name) }
    }

    private func checkKeywords(_ object: JSONObject, _ path: String) throws(GrammarError) {
        for (name, _) in object
        where !Self.annotations.contains(name) && !Self.combining.contains(name)
            && !Self.keywords.values.contains(where: { $0.contains(name) })
        {
            throw GrammarError(path: Self.join(path, name), reason: "cannot be enforced")
        }
    }
}

// MARK: Combining

extension JSONSchemaGrammar {
    private mutating func referenced(_ reference: JSONValue, _ path: String) throws(GrammarError) -> Part {
        guard let pointer = reference.string else { throw GrammarError(path: path, reason: "must be a string") }
        if let rule = references[pointer] { return .rule(rule) }
        let schema = try resolve(pointer, path)
        let rule = builder.declare()
        references[pointer] = rule
        try builder.define(rule, try part(schema, pointer))
        return .rule(rule)
    }

    /// What a JSON pointer (RFC 6901) into the schema names.
    private func resolve(_ pointer: String, _ path: String) throws(GrammarError) -> JSONValue {
        guard pointer == "#" || pointer.hasPrefix("#/") else {
            throw GrammarError(path: path, reason: "'\(pointer)' is not inside the schema")
        }
        var value = root
        for name in pointer.dropFirst().split(separator: "/") {
            let name = String(name.replacing("~1", with: "/").replacing("~0", with: "~"))
            let element = Int(name).flatMap { index in
                value.array.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            }
            guard let next = value[name] ?? element else {
                throw GrammarError(path: path, reason: "'\(pointer)' names nothing")
            }
            value = next
        }
        return value
    }

    /// `allOf` and `$ref` with what stands beside them, as one schema.
    private func merged(
        _ object: JSONObject, _ path: String, _ pointers: Set<String>
    ) throws(GrammarError) -> JSONObject {
        var rest = object
        var parts: [(schema: JSONValue, path: String, pointers: Set<String>)] = []
        if let reference = object["$ref"] {
            rest["$ref"] = nil
            guard let pointer = reference.string else {
                throw GrammarError(path: Self.join(path, "$ref"), reason: "must be a string")
            }
            guard !pointers.contains(pointer) else {
                throw GrammarError(path: Self.join(path, "$ref"), reason: "refers to itself")
            }
            parts.append((try resolve(pointer, path), path, pointers.union([pointer])))
        }
        if let schemas = object["allOf"] {
            rest["allOf"] = nil
            guard let schemas = schemas.array else {
                throw GrammarError(path: Self.join(path, "allOf"), reason: "must be an array")
            }
            for (index, schema) in schemas.enumerated() {
                parts.append((schema, Self.join(path, "allOf[\(index)]"), pointers))
            }
        }
        for (schema, path, pointers) in parts {
            if schema.bool == true { continue }
            guard let object = schema.object else { throw GrammarError(path: path, reason: "must be an object") }
            try checkKeywords(object, path)
            for (name, value) in try merged(object, path, pointers) where !Self.annotations.contains(name) {
                rest[name] = try Self.both(rest[name], value, name, path)
            }
        }
        return rest
    }

    /// What two schemas together say under one keyword.
    private static func both(
        _ one: JSONValue?, _ other: JSONValue, _ name: String, _ path: String
    ) throws(GrammarError) -> JSONValue {
        guard let one, one != other else { return other }
        switch name {
        case "properties":
            var properties = one.object ?? [:]
            for (key, value) in other.object ?? [:] {
                properties[key] = properties[key].map { $0 == value ? value : ["allOf": [$0, value]] } ?? value
            }
            return .object(properties)
        case "required":
            let present = one.array ?? []
            return .array(present + (other.array ?? []).filter { !present.contains($0) })
        case "minLength", "minItems", "minimum", "exclusiveMinimum":
            if let a = one.double, let b = other.double { return a < b ? other : one }
        case "maxLength", "maxItems", "maximum", "exclusiveMaximum":
            if let a = one.double, let b = other.double { return a > b ? other : one }
        case "additionalProperties":
            if one.bool == false || other.bool == false { return false }
        default: break
        }
        throw GrammarError(path: join(path, name), reason: "cannot be enforced together with another '\(name)'")
    }

    /// Alternatives, each with what stands beside them.
    private mutating func distributed(
        _ object: JSONObject, _ keyword: String, _ path: String
    ) throws(GrammarError) -> Part {
        var rest = object
        rest[keyword] = nil
        var choices: [Part] = []
        for (index, schema) in (object[keyword]?.array ?? []).enumerated() {
            choices.append(try part(["allOf": [.object(rest), schema]], Self.join(path, "\(keyword)[\(index)]")))
        }
        guard !choices.isEmpty else {
            throw GrammarError(path: Self.join(path, keyword), reason: "must be an array that is not empty")
        }
        return .choice(choices)
    }

    /// Given values, written compactly; those of another type than the schema says are none.
    private func literals(
        _ values: [JSONValue], _ object: JSONObject, _ path: String
    ) throws(GrammarError) -> Part {
        for name in object.map(\.name)
        where !Self.annotations.contains(name) && !["enum", "const", "type"].contains(name) {
            throw GrammarError(path: Self.join(path, name), reason: "cannot be enforced beside given values")
        }
        var allowed = values
        if let constant = object["const"] { allowed = allowed.filter { $0 == constant } }
        if object["type"] != nil {
            let names = try typeNames(object, path)
            allowed = allowed.filter { value in names.contains { Self.isOfType(value, $0) } }
        }
        guard !allowed.isEmpty else { throw GrammarError(path: path, reason: "allows nothing") }
        return .choice(allowed.map { .literal($0.serialized) })
    }

    private static func isOfType(_ value: JSONValue, _ type: String) -> Bool {
        switch type {
        case "object": value.object != nil
        case "array": value.array != nil
        case "string": value.string != nil
        case "boolean": value.bool != nil
        case "null": value.isNull
        case "integer": value.double.map { $0.rounded() == $0 } ?? false
        default: value.double != nil
        }
    }

    func typeNames(_ object: JSONObject, _ path: String) throws(GrammarError) -> [String] {
        guard let type = object["type"] else {
            // Keywords of one type mean that type; without any, everything is allowed.
            let meant = Self.types.filter { type in
                type != "integer" && object.contains { Self.keywords[type]?.contains($0.name) == true }
            }
            return meant.isEmpty ? [] : meant
        }
        let names = type.string.map { [$0] } ?? (type.array ?? []).compactMap(\.string)
        guard !names.isEmpty, names.allSatisfy(Self.types.contains) else {
            throw GrammarError(
                path: Self.join(path, "type"), reason: "must be one or more of \(Self.types.joined(separator: ", "))")
        }
        return names
    }
}
