import Grammars
import JSON

/// Reads the output format in a request of any API.
extension StructuredOutput {
    /// How each API spells a format.
    enum Spelling {
        /// `{"type": "json_schema", "json_schema": {"name": ..., "schema": ...}}`
        case chat
        /// `{"type": "json_schema", "name": ..., "schema": ...}`
        case responses
        /// `{"type": "json_schema", "schema": ...}`
        case messages

        fileprivate var types: [String] {
            switch self {
            case .chat: ["text", "json_object", "json_schema", "structural_tag"]
            case .responses: ["text", "json_object", "json_schema"]
            case .messages: ["json_schema"]
            }
        }
    }

    /// - Parameter path: the path of the format in the body.
    /// - Returns: nil if there is no format, or one that allows any text.
    /// - Throws: `APIError` that names the first invalid member.
    static func read(
        format value: JSONValue?, at path: String, _ spelling: Spelling, _ policy: ParameterPolicy
    ) throws(APIError) -> StructuredOutput? {
        guard let value else { return nil }
        var format = try FieldReader(value, at: path, policy)
        guard let type = try format.word("type", among: spelling.types) else {
            throw .missing(param: format.path(to: "type"))
        }
        switch type {
        case "json_object":
            // In llama.cpp's API the schema is here.
            let schema = spelling == .chat ? try schema(&format, "schema") : nil
            try format.finish()
            return (schema ?? StructuredOutput(source: .jsonObject, param: path)).besideCalls
        case "json_schema": return try jsonSchema(&format, at: path, spelling).besideCalls
        case "structural_tag":
            // Both forms have these members in addition to the type.
            var tag: JSONObject = [:]
            for name in ["format", "structures", "triggers"] { tag[name] = format.value(name) }
            try format.finish()
            return try structuralTag(.object(tag), at: path)
        default:
            try format.finish()
            return nil
        }
    }

    private var besideCalls: StructuredOutput {
        var copy = self
        copy.allowsCalls = true
        return copy
    }

    private static func jsonSchema(
        _ format: inout FieldReader, at path: String, _ spelling: Spelling
    ) throws(APIError) -> StructuredOutput {
        var body = format
        if spelling == .chat {
            // llama.cpp and others have the schema beside the type.
            if let nested = try format.reader("json_schema") {
                try format.finish()
                body = nested
            } else if body.policy.isStrict || format.value("schema") == nil {
                throw .missing(param: format.path(to: "json_schema"))
            }
        }
        if spelling != .messages {
            // The name has no effect.
            let name = try body.string("name") ?? ""
            guard !name.isEmpty || !body.policy.isStrict else { throw .missing(param: body.path(to: "name")) }
            _ = try body.string("description")
            // Schemas are always enforced.
            _ = try body.bool("strict")
        }
        let schema = try schema(&body, "schema", mayBeText: spelling == .chat)
        // Chat completions may omit the schema. Any object is then valid.
        guard spelling == .chat || schema != nil else { throw .missing(param: body.path(to: "schema")) }
        try body.finish()
        return schema ?? StructuredOutput(source: .jsonObject, param: path)
    }
}
