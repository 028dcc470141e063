import JSON

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
    private static let enforced = keywords.values.reduce(into: Set()) { $0.formUnion($1) }
    private static let types = ["object", "array", "string", "number", "integer", "boolean", "null"]
    private static let combining: Set<String> = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"]
    static let mostRepetitions = 10_000
    private static let mostDepth = 100

    private let root: JSONValue
    /// Swapped with the caller's, since a copy would cost its whole length.
    var builder = GrammarBuilder()
    let json: JSONGrammar
    /// Rules of what `$ref` names.
    private var references: [String: Int] = [:]
    private var depth = 0

    /// The part for a schema. O(size), or as many steps as ``GrammarBuilder/mostVisits``, where schemas are visited again.
    ///
    /// - Throws: `GrammarError` that names the keyword at fault.
    static func part(
        _ schema: JSONValue, json: JSONGrammar, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> GrammarBuilder.Part {
        var compiler = JSONSchemaGrammar(root: schema, json: json)
        swap(&compiler.builder, &builder)
        defer { swap(&compiler.builder, &builder) }
        return try compiler.part(schema, .root)
    }

    private init(root: JSONValue, json: JSONGrammar) {
        self.root = root
        self.json = json
    }

    mutating func part(_ schema: JSONValue, _ path: SchemaPath) throws(GrammarError) -> Part {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else {
            throw path.error("nests more than \(Self.mostDepth) schemas")
        }
        if schema.bool == true { return json.value }
        guard let object = schema.object else {
            throw path.error(schema.bool == false ? "allows nothing" : "must be an object or true")
        }
        try builder.visit(1 + object.count)
        try checkKeywords(object, path)
        if object["allOf"] != nil || object["$ref"] != nil && Self.restricts(object, beside: "$ref") {
            var merger = SchemaMerger()
            try merge(object, into: &merger, path, [])
            return try part(.object(merger.schema), path)
        }
        if let reference = object["$ref"] { return try referenced(reference, path.appending("$ref")) }
        if let values = object["enum"] {
            guard let values = values.array, !values.isEmpty else {
                throw path.appending("enum").error("must be an array that is not empty")
            }
            return try literals(values, object, path.appending("enum"))
        }
        if let value = object["const"] { return try literals([value], object, path.appending("const")) }
        for keyword in ["anyOf", "oneOf"] {
            guard let schemas = object[keyword] else { continue }
            guard !Self.restricts(object, beside: keyword) else { return try distributed(object, keyword, path) }
            guard let schemas = schemas.array, !schemas.isEmpty else {
                throw path.appending(keyword).error("must be an array that is not empty")
            }
            var choices: [Part] = []
            for (index, schema) in schemas.enumerated() {
                choices.append(try part(schema, path.appending(keyword, at: index)))
            }
            return .choice(choices)
        }
        return try typed(object, path)
    }

    /// Whether members beside `keyword` say something about validity.
    private static func restricts(_ object: JSONObject, beside keyword: String) -> Bool {
        object.contains { $0.name != keyword && !annotations.contains($0.name) }
    }

    private func checkKeywords(_ object: JSONObject, _ path: SchemaPath) throws(GrammarError) {
        for (name, _) in object
        where !Self.annotations.contains(name) && !Self.combining.contains(name)
            && !Self.enforced.contains(name)
        {
            throw path.appending(name).error("cannot be enforced")
        }
    }
}

// MARK: Combining

extension JSONSchemaGrammar {
    private mutating func referenced(_ reference: JSONValue, _ path: SchemaPath) throws(GrammarError) -> Part {
        guard let pointer = reference.string else { throw path.error("must be a string") }
        if let rule = references[pointer] { return .rule(rule) }
        let schema = try resolve(pointer, path)
        let rule = builder.declare()
        references[pointer] = rule
        let part = try part(schema, SchemaPath.root.appending(pointer))
        try builder.define(rule, part)
        return .rule(rule)
    }

    /// What a JSON pointer (RFC 6901) into the schema names.
    private mutating func resolve(_ pointer: String, _ path: SchemaPath) throws(GrammarError) -> JSONValue {
        guard pointer == "#" || pointer.hasPrefix("#/") else {
            throw path.error("'\(pointer.prefix(80))' is not inside the schema")
        }
        try builder.visit(1 + pointer.utf8.count / 16)
        var value = root
        for name in pointer.dropFirst().split(separator: "/") {
            let name = String(name.replacing("~1", with: "/").replacing("~0", with: "~"))
            let element = Int(name).flatMap { index in
                value.array.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            }
            guard let next = value[name] ?? element else {
                throw path.error("'\(pointer.prefix(80))' does not exist")
            }
            value = next
        }
        return value
    }

    /// Adds a schema with all that its `$ref` and `allOf` say.
    ///
    /// - Parameter pointers: those that led here.
    private mutating func merge(
        _ object: JSONObject, into merger: inout SchemaMerger, _ path: SchemaPath, _ pointers: Set<String>
    ) throws(GrammarError) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else { throw path.error("nests more than \(Self.mostDepth) schemas") }
        try builder.visit(1 + object.count)
        try checkKeywords(object, path)
        for (name, value) in object where name != "$ref" && name != "allOf" && !Self.annotations.contains(name) {
            try merger.add(name, value, path, &builder)
        }
        if let reference = object["$ref"] {
            guard let pointer = reference.string else { throw path.appending("$ref").error("must be a string") }
            guard !pointers.contains(pointer) else { throw path.appending("$ref").error("refers to itself") }
            // References that double from schema to schema would otherwise take 2^n steps.
            if merger.added.insert(pointer).inserted {
                try merge(try resolve(pointer, path), into: &merger, path, pointers.union([pointer]))
            }
        }
        if let schemas = object["allOf"] {
            guard let schemas = schemas.array else { throw path.appending("allOf").error("must be an array") }
            for (index, schema) in schemas.enumerated() {
                try merge(schema, into: &merger, path.appending("allOf", at: index), pointers)
            }
        }
    }

    private mutating func merge(
        _ schema: JSONValue, into merger: inout SchemaMerger, _ path: SchemaPath, _ pointers: Set<String>
    ) throws(GrammarError) {
        if schema.bool == true { return try builder.visit() }
        guard let object = schema.object else { throw path.error("must be an object") }
        try merge(object, into: &merger, path, pointers)
    }

    /// Alternatives, each with what stands beside them.
    private mutating func distributed(
        _ object: JSONObject, _ keyword: String, _ path: SchemaPath
    ) throws(GrammarError) -> Part {
        var rest = object
        rest[keyword] = nil
        var choices: [Part] = []
        for (index, schema) in (object[keyword]?.array ?? []).enumerated() {
            choices.append(try part(["allOf": [.object(rest), schema]], path.appending(keyword, at: index)))
        }
        guard !choices.isEmpty else {
            throw path.appending(keyword).error("must be an array that is not empty")
        }
        return .choice(choices)
    }

    /// Given values, written compactly; those of another type than the schema says are none.
    private mutating func literals(
        _ values: [JSONValue], _ object: JSONObject, _ path: SchemaPath
    ) throws(GrammarError) -> Part {
        for name in object.map(\.name)
        where !Self.annotations.contains(name) && !["enum", "const", "type"].contains(name) {
            throw path.appending(name).error("cannot be enforced beside given values")
        }
        try builder.visit(values.count)
        var allowed = values
        if let constant = object["const"] { allowed = allowed.filter { $0 == constant } }
        if object["type"] != nil {
            let names = try typeNames(object, path)
            allowed = allowed.filter { value in names.contains { Self.isOfType(value, $0) } }
        }
        guard !allowed.isEmpty else { throw path.error("allows nothing") }
        return try builder.rule(.choice(allowed.map { .literal($0.serialized) }))
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

    func typeNames(_ object: JSONObject, _ path: SchemaPath) throws(GrammarError) -> [String] {
        guard let type = object["type"] else {
            // Keywords of one type mean that type; without any, everything is allowed.
            let meant = Self.types.filter { type in
                type != "integer" && object.contains { Self.keywords[type]?.contains($0.name) == true }
            }
            return meant.isEmpty ? [] : meant
        }
        let names = type.string.map { [$0] } ?? (type.array ?? []).compactMap(\.string)
        guard !names.isEmpty, names.allSatisfy(Self.types.contains) else {
            throw path.appending("type").error("must be one or more of \(Self.types.joined(separator: ", "))")
        }
        return names
    }
}
