import JSON

// The conversation of a Messages request as messages of a chat.

extension MessagesRequest {
    /// `system`: a text, or text blocks.
    static func system(_ reader: inout FieldReader) throws(APIError) -> [JSONValue] {
        guard let value = reader.value("system") else { return [] }
        return [["role": "system", "content": .string(try text(of: value, at: "system"))]]
    }

    /// The messages that one message is: the results of tools are messages of their own.
    static func turns(_ message: JSONValue, at path: String) throws(APIError) -> [JSONValue] {
        var reader = try FieldReader(message, at: path)
        guard let role = try reader.word("role", among: ["user", "assistant"]) else {
            throw .missing(param: "\(path).role")
        }
        guard let content = reader.value("content") else { throw .missing(param: "\(path).content") }
        try reader.finish()
        guard case .array(let blocks) = content else {
            return [["role": .string(role), "content": .string(try text(of: content, at: "\(path).content"))]]
        }
        return role == "user"
            ? try userTurns(blocks, at: "\(path).content") : [try assistantTurn(blocks, at: "\(path).content")]
    }

    private static func userTurns(_ blocks: JSONArray, at path: String) throws(APIError) -> [JSONValue] {
        var turns: [JSONValue] = []
        var texts: [String] = []
        func flush() {
            if !texts.isEmpty { turns.append(["role": "user", "content": .string(texts.joined(separator: "\n"))]) }
            texts = []
        }
        for (index, block) in blocks.enumerated() {
            let path = "\(path)[\(index)]"
            var reader = try FieldReader(block, at: path)
            switch try type(&reader, among: ["text", "tool_result"]) {
            case "tool_result":
                guard let id = try reader.string("tool_use_id") else { throw .missing(param: "\(path).tool_use_id") }
                var content = ""
                if let value = reader.value("content") { content = try text(of: value, at: "\(path).content") }
                // Templates have no other place for it.
                if try reader.bool("is_error") == true { content = "Error: \(content)" }
                flush()
                turns.append(["role": "tool", "tool_call_id": .string(id), "content": .string(content)])
            default:
                texts.append(try text(&reader))
            }
            try finish(&reader)
        }
        if turns.isEmpty && texts.isEmpty { texts = [""] }
        flush()
        return turns
    }

    private static func assistantTurn(_ blocks: JSONArray, at path: String) throws(APIError) -> JSONValue {
        var texts: [String] = []
        var reasoning: [String] = []
        var calls: [JSONValue] = []
        for (index, block) in blocks.enumerated() {
            let path = "\(path)[\(index)]"
            var reader = try FieldReader(block, at: path)
            switch try type(&reader, among: ["text", "thinking", "tool_use"]) {
            case "thinking":
                guard let text = try reader.string("thinking") else { throw .missing(param: "\(path).thinking") }
                _ = try reader.string("signature")
                reasoning.append(text)
            case "tool_use":
                guard let id = try reader.string("id") else { throw .missing(param: "\(path).id") }
                guard let name = try reader.string("name") else { throw .missing(param: "\(path).name") }
                guard let input = try reader.object("input") else { throw .missing(param: "\(path).input") }
                calls.append([
                    "id": .string(id), "type": "function",
                    "function": ["name": .string(name), "arguments": .object(input)],
                ])
            default:
                texts.append(try text(&reader))
            }
            try finish(&reader)
        }
        var turn: JSONObject = ["role": "assistant", "content": .string(texts.joined(separator: "\n"))]
        if !reasoning.isEmpty { turn["reasoning"] = .string(reasoning.joined(separator: "\n")) }
        if !calls.isEmpty { turn["tool_calls"] = .array(calls) }
        return .object(turn)
    }

    /// A string, or text blocks joined by line feeds.
    private static func text(of value: JSONValue, at path: String) throws(APIError) -> String {
        switch value {
        case .string(let text): return text
        case .array(let blocks):
            var texts: [String] = []
            for (index, block) in blocks.enumerated() {
                var reader = try FieldReader(block, at: "\(path)[\(index)]")
                _ = try type(&reader, among: ["text"])
                texts.append(try text(&reader))
                try finish(&reader)
            }
            return texts.joined(separator: "\n")
        default: throw .wrongType(value, at: path, expected: "a string or an array of content blocks")
        }
    }

    private static func type(_ reader: inout FieldReader, among types: [String]) throws(APIError) -> String {
        let path = reader.path(to: "type")
        guard let type = try reader.string("type") else { throw .missing(param: path) }
        guard types.contains(type) else {
            throw .invalid(
                param: path,
                message: """
                    '\(path)' is '\(type.excerpt)'; this model reads text only, and here blocks of type \
                    \(types.map { "'\($0)'" }.joined(separator: ", ")).
                    """)
        }
        return type
    }

    private static func text(_ reader: inout FieldReader) throws(APIError) -> String {
        guard let text = try reader.string("text") else { throw .missing(param: reader.path(to: "text")) }
        // Citations refer to documents, of which there are none.
        try reader.refuse("citations", unless: [[]])
        return text
    }

    private static func finish(_ reader: inout FieldReader) throws(APIError) {
        // Every prompt is cached as far as there is room.
        _ = try reader.object("cache_control")
        try reader.finish()
    }
}
