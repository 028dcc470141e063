import Basics
import JSON

/// The parameters of tools that are strings according to the schemas of the tools. All other parameters are JSON.
struct ToolParameters: Sendable {
    private enum Kind: Sendable {
        /// A string without quotes.
        case text
        /// A string, possibly written as JSON, or `null` if that is allowed.
        case looseText(mayBeNull: Bool)
    }

    /// The kinds of parameters by tool and parameter.
    private var kinds: [String: [String: Kind]] = [:]
    let isEmpty: Bool

    init(_ tools: [JSONValue]) {
        isEmpty = tools.isEmpty
        for tool in tools {
            guard let function = tool["function"], let name = function["name"]?.string else { continue }
            let parameters = function["parameters"] ?? .null
            for (key, schema) in parameters["properties"]?.object ?? [:] {
                if Cancellation.isRequested { return }
                if schema.isSchemaOfUnquotedText {
                    kinds[name, default: [:]][key] = .text
                } else if let types = Self.textTypes(Self.target(of: schema, in: parameters), in: parameters) {
                    kinds[name, default: [:]][key] = .looseText(mayBeNull: types.contains("null"))
                }
            }
        }
    }

    /// Returns the value of a parameter that the model wrote as `bytes`.
    func value(_ bytes: [UInt8], of key: String, in tool: String) -> JSONValue {
        let text = JSONValue.string(String(decoding: bytes, as: UTF8.self))
        let kind = kinds[tool]?[key]
        if case .text? = kind { return text }
        guard let json = try? JSONValue(parsing: bytes) else { return text }
        guard case .looseText(let mayBeNull)? = kind else { return json }
        return json.string != nil || mayBeNull && json.isNull ? json : text
    }

    /// Returns which of `string` and `null` a schema allows, or `nil` if it allows other types or has more alternatives than are
    /// read.
    private static func textTypes(_ schema: JSONValue, in root: JSONValue, isBranch: Bool = false) -> Set<String>? {
        var types: Set<String> = []
        if let value = schema["const"] {
            types = [typeName(of: value)]
        } else if let values = schema["enum"]?.array, values.count <= mostValues {
            for value in values { types.insert(typeName(of: value)) }
        } else if let name = schema["type"]?.string {
            types = [name]
        } else if let names = schema["type"]?.array, names.count <= mostAlternatives {
            for name in names { types.insert(name.string ?? "") }
        } else if let branches = (schema["anyOf"] ?? schema["oneOf"])?.array, !isBranch,
            branches.count <= mostAlternatives
        {
            for branch in branches {
                guard let more = textTypes(target(of: branch, in: root), in: root, isBranch: true) else { return nil }
                types.formUnion(more)
            }
        }
        return types.isEmpty || !types.isSubset(of: ["string", "null"]) ? nil : types
    }

    private static let (mostAlternatives, mostValues) = (64, 1024)

    private static func typeName(of value: JSONValue) -> String {
        value.string != nil ? "string" : value.isNull ? "null" : "other"
    }

    /// Returns the schema that a `$ref` into the parameters names, or the schema itself.
    private static func target(of schema: JSONValue, in root: JSONValue) -> JSONValue {
        guard let reference = schema["$ref"]?.string else { return schema }
        return root.target(ofReference: reference) ?? .null
    }
}
