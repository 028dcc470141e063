import JSON

/// The `input` of a Responses request as messages of a chat. What the model made in one turn is several items there and one
/// message here.
struct ResponsesInput {
    private var messages: [JSONValue] = []
    /// The assistant's message that is being put together.
    private var turn: JSONObject?

    /// - Throws: the `APIError` that names the first item at fault.
    static func messages(of input: JSONValue) throws(APIError) -> [JSONValue] {
        switch input {
        case .string(let text): return [["role": "user", "content": .string(text)]]
        case .array(let items):
            guard !items.isEmpty else {
                throw .invalid(param: "input", message: "'input' must hold at least one item.")
            }
            var result = ResponsesInput()
            for (index, item) in items.enumerated() { try result.add(item, at: "input[\(index)]") }
            result.flush()
            return result.messages
        default: throw .wrongType(input, at: "input", expected: "a string or an array of items")
        }
    }

    private mutating func flush() {
        if let turn { messages.append(.object(turn)) }
        turn = nil
    }

    private mutating func add(_ item: JSONValue, at path: String) throws(APIError) {
        var reader = try FieldReader(item, at: path)
        let type = try reader.string("type") ?? "message"
        // What replies carry and clients send back whole.
        _ = try reader.string("id")
        _ = try reader.word("status", among: ["in_progress", "completed", "incomplete"])
        switch type {
        case "message": try addMessage(&reader)
        case "reasoning": try addReasoning(&reader)
        case "function_call": try addCall(&reader)
        case "function_call_output": try addOutput(&reader)
        default:
            throw .invalid(
                param: "\(path).type",
                message: """
                    '\(path).type' is '\(type.excerpt)'; only 'message', 'reasoning', 'function_call' and \
                    'function_call_output' are read here.
                    """)
        }
        try reader.finish()
    }

    private mutating func addMessage(_ reader: inout FieldReader) throws(APIError) {
        let path = reader.path(to: "content")
        let roles = ["user", "assistant", "system", "developer"]
        guard let role = try reader.word("role", among: roles) else { throw .missing(param: reader.path(to: "role")) }
        guard let value = reader.value("content") else { throw .missing(param: path) }
        _ = try reader.string("phase")
        let text = try Self.text(of: value, at: path, types: ["input_text", "output_text"])
        guard role == "assistant" else {
            flush()
            messages.append(["role": .string(role), "content": .string(text)])
            return
        }
        if turn?["content"] != "" || turn?["tool_calls"] != nil { flush() }
        var message = turn ?? Self.newTurn
        message["content"] = .string(text)
        turn = message
    }

    private mutating func addReasoning(_ reader: inout FieldReader) throws(APIError) {
        try reader.refuse("encrypted_content")
        var text = ""
        for (name, type) in [("content", "reasoning_text"), ("summary", "summary_text")] {
            guard let value = reader.value(name) else { continue }
            let part = try Self.text(of: value, at: reader.path(to: name), types: [type])
            if text.isEmpty { text = part }
        }
        // Reasoning begins a turn.
        flush()
        guard !text.isEmpty else { return }
        turn = Self.newTurn
        turn?["reasoning"] = .string(text)
    }

    private mutating func addCall(_ reader: inout FieldReader) throws(APIError) {
        guard let id = try reader.string("call_id") else { throw .missing(param: reader.path(to: "call_id")) }
        guard let name = try reader.string("name") else { throw .missing(param: reader.path(to: "name")) }
        guard let arguments = try reader.string("arguments") else {
            throw .missing(param: reader.path(to: "arguments"))
        }
        var message = turn ?? Self.newTurn
        var calls = message["tool_calls"]?.array ?? []
        calls.append([
            "id": .string(id), "type": "function",
            "function": ["name": .string(name), "arguments": .string(arguments)],
        ])
        message["tool_calls"] = .array(calls)
        turn = message
    }

    private mutating func addOutput(_ reader: inout FieldReader) throws(APIError) {
        guard let id = try reader.string("call_id") else { throw .missing(param: reader.path(to: "call_id")) }
        let path = reader.path(to: "output")
        guard let value = reader.value("output") else { throw .missing(param: path) }
        let text = try Self.text(of: value, at: path, types: ["input_text"])
        flush()
        messages.append(["role": "tool", "tool_call_id": .string(id), "content": .string(text)])
    }

    private static let newTurn: JSONObject = ["role": "assistant", "content": ""]

    /// A string, or text parts joined by line feeds.
    private static func text(of value: JSONValue, at path: String, types: [String]) throws(APIError) -> String {
        if let text = value.string { return text }
        guard let parts = value.array else {
            throw .wrongType(value, at: path, expected: "a string or an array of parts")
        }
        var texts: [String] = []
        for (index, part) in parts.enumerated() {
            var reader = try FieldReader(part, at: "\(path)[\(index)]")
            let typePath = reader.path(to: "type")
            guard let type = try reader.string("type") else { throw .missing(param: typePath) }
            guard types.contains(type) else {
                throw .invalid(
                    param: typePath,
                    message: """
                        '\(typePath)' is '\(type.excerpt)'; this model reads text only, and here parts of type \
                        \(types.map { "'\($0)'" }.joined(separator: ", ")).
                        """)
            }
            guard let text = try reader.string("text") else { throw .missing(param: reader.path(to: "text")) }
            try reader.refuse("annotations", unless: [[]])
            _ = try reader.array("logprobs")
            try reader.finish()
            texts.append(text)
        }
        return texts.joined(separator: "\n")
    }
}
