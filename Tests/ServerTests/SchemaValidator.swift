import JSON

/// Validates JSON with the part of JSON Schema (2020-12) that `openapi.yaml` uses; any other keyword is a violation, so that
/// none is ignored.
struct SchemaValidator {
    /// The document for `$ref`.
    let document: JSONValue

    /// The violations of `value`, each with its path; empty if it conforms.
    func violations(of value: JSONValue, against schema: JSONValue, at path: String = "$") -> [String] {
        if let allowed = schema.bool { return allowed ? [] : ["\(path): nothing is allowed here"] }
        guard let schema = schema.object else { return ["\(path): the schema is no object"] }
        return schema.flatMap { keyword, argument in
            check(value, keyword, argument, schema, at: path)
        }
    }

    /// The target of a reference such as `#/components/schemas/Usage`.
    func resolve(_ reference: String) -> JSONValue? {
        reference.split(separator: "/").dropFirst().reduce(Optional(document)) { $0?[String($1)] }
    }

    private func check(
        _ value: JSONValue, _ keyword: String, _ argument: JSONValue, _ schema: JSONObject, at path: String
    ) -> [String] {
        func require(_ holds: Bool) -> [String] {
            let shown = String(decoding: value.serialized.prefix(200), as: UTF8.self)
            return holds ? [] : ["\(path): \(shown) violates \(keyword)"]
        }
        switch keyword {
        case "description", "deprecated": return []
        case "$ref":
            guard let target = argument.string.flatMap(resolve) else { return ["\(path): dangling $ref"] }
            return violations(of: value, against: target, at: path)
        case "oneOf":
            let matches = (argument.array ?? []).count { violations(of: value, against: $0, at: path).isEmpty }
            return require(matches == 1)
        case "type":
            let types = argument.array ?? [argument]
            return require(types.contains { isOfType($0.string ?? "", value) })
        case "const": return require(value == argument)
        case "enum": return require(argument.array?.contains(value) == true)
        case "minimum": return require(numbers(value, argument).map { $0 >= $1 } ?? true)
        case "maximum": return require(numbers(value, argument).map { $0 <= $1 } ?? true)
        case "exclusiveMinimum": return require(numbers(value, argument).map { $0 > $1 } ?? true)
        case "maxLength":
            return require((value.string?.unicodeScalars.count ?? 0) <= argument.integer ?? 0)
        case "minLength": return require((value.string?.unicodeScalars.count ?? .max) >= argument.integer ?? 0)
        case "pattern": return require(value.string.map { matches($0, argument.string) } ?? true)
        case "minItems": return require((value.array?.count ?? .max) >= argument.integer ?? 0)
        case "maxItems": return require((value.array?.count ?? 0) <= argument.integer ?? 0)
        case "items":
            return (value.array ?? []).enumerated().flatMap { index, element in
                violations(of: element, against: argument, at: "\(path)[\(index)]")
            }
        case "required":
            guard let object = value.object else { return [] }
            return (argument.array ?? []).compactMap(\.string).filter { object[$0] == nil }
                .map { "\(path): \($0) is missing" }
        case "properties":
            guard let object = value.object, let properties = argument.object else { return [] }
            return object.flatMap { name, member in
                properties[name].map { violations(of: member, against: $0, at: "\(path).\(name)") } ?? []
            }
        case "additionalProperties":
            let known = schema["properties"]?.object ?? [:]
            return (value.object ?? [:]).filter { known[$0.name] == nil }.flatMap {
                violations(of: $0.value, against: argument, at: "\(path).\($0.name)")
            }
        case "propertyNames":
            return (value.object ?? [:]).flatMap { name, _ in
                violations(of: .string(name), against: argument, at: "\(path).\(name)")
            }
        default: return ["\(path): the keyword \(keyword) is not known"]
        }
    }

    private func isOfType(_ type: String, _ value: JSONValue) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object): true
        case ("number", _): value.double != nil
        case ("integer", _): value.integer != nil
        default: false
        }
    }

    private func numbers(_ value: JSONValue, _ bound: JSONValue) -> (Double, Double)? {
        guard let value = value.double, let bound = bound.double else { return nil }
        return (value, bound)
    }

    private func matches(_ text: String, _ pattern: String?) -> Bool {
        guard let pattern, let regex = try? Regex(pattern) else { return false }
        return text.contains(regex)
    }
}
