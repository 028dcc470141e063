import JSON

/// Converts the `input` of a Responses request to chat messages. One turn of the model is several items of the input and one
/// message.
struct ResponsesInput {
    private var messages: [ChatMessage] = []
    /// The assistant's message that is being assembled.
    private var turn: ChatMessage?
    private let tools: ToolSet
    private let policy: ParameterPolicy
    private var content: MessageContent

    private init(_ tools: ToolSet, _ policy: ParameterPolicy) {
        (self.tools, self.policy) = (tools, policy)
        content = MessageContent(policy)
    }

    /// - Parameter tools: the tools of the request, to map names.
    /// - Throws: the `APIError` that names the first invalid item.
    static func messages(
        of input: JSONValue, _ tools: ToolSet, _ policy: ParameterPolicy
    ) throws(APIError) -> [ChatMessage] {
        switch input {
        case .string(let text): return [ChatMessage(.user, text)]
        case .array(let items):
            guard !items.isEmpty else {
                throw .invalid(param: "input", message: "'input' must contain at least one item.")
            }
            var result = ResponsesInput(tools, policy)
            for (index, item) in items.enumerated() { try result.add(item, at: "input[\(index)]") }
            result.flush()
            return result.messages
        default: throw .wrongType(input, at: "input", expected: "a string or an array of items")
        }
    }

    private mutating func flush() {
        if let turn { messages.append(turn) }
        turn = nil
    }

    private mutating func add(_ item: JSONValue, at path: String) throws(APIError) {
        var reader = try FieldReader(item, at: path, policy)
        let type = try reader.string("type") ?? "message"
        // Members of replies that clients send back unchanged.
        _ = try reader.string("id")
        for name in ["status", "internal_chat_message_metadata_passthrough"] { _ = reader.value(name) }
        switch type {
        case "message": try addMessage(&reader)
        case "reasoning": try addReasoning(&reader)
        case "function_call": try addCall(&reader)
        case "custom_tool_call": try addCustomCall(&reader)
        case "function_call_output", "custom_tool_call_output": try addOutput(&reader)
        default:
            // Items of hosted tools, or markers in the conversation, without text for a model.
            try policy.ignore("input.\(type)") {
                .invalid(
                    param: "\(path).type",
                    message: """
                        '\(path).type' is '\(type.excerpt)'; only 'message', 'reasoning', 'function_call' and \
                        'function_call_output' are supported.
                        """)
            }
            return
        }
        try reader.finish()
    }

    private mutating func addMessage(_ reader: inout FieldReader) throws(APIError) {
        let path = reader.path(to: "content")
        let roles: [ChatMessage.Role] = [.user, .assistant, .system, .developer]
        let word = try reader.word("role", among: roles.map(\.rawValue))
        guard let role = word.flatMap(ChatMessage.Role.init) else { throw .missing(param: reader.path(to: "role")) }
        guard let value = reader.value("content") else { throw .missing(param: path) }
        _ = try reader.string("phase")
        let text = try content.text(of: value, at: path)
        guard role == .assistant else {
            flush()
            messages.append(ChatMessage(role, text))
            return
        }
        if let turn, !turn.content.isEmpty || !turn.toolCalls.isEmpty { flush() }
        turn = turn ?? ChatMessage(.assistant)
        turn?.content = text
    }

    private mutating func addReasoning(_ reader: inout FieldReader) throws(APIError) {
        // Reasoning of another server, which only that server can decrypt.
        try reader.ignore("encrypted_content", unless: [""])
        var text = ""
        for name in ["content", "summary"] {
            guard let value = reader.value(name) else { continue }
            let part = try content.text(of: value, at: reader.path(to: name))
            if text.isEmpty { text = part }
        }
        // Reasoning begins a turn.
        flush()
        guard !text.isEmpty else { return }
        turn = ChatMessage(.assistant)
        turn?.reasoning = text
    }

    private mutating func addCall(_ reader: inout FieldReader) throws(APIError) {
        guard let id = try reader.string("call_id") else { throw .missing(param: reader.path(to: "call_id")) }
        guard let name = try reader.string("name") else { throw .missing(param: reader.path(to: "name")) }
        let arguments: JSONValue
        if !policy.isStrict, let object = reader.value("arguments"), object.object != nil {
            arguments = object
        } else {
            guard let text = try reader.string("arguments") else {
                throw .missing(param: reader.path(to: "arguments"))
            }
            arguments = ChatMessage.ToolCall.parse(text)
        }
        let namespace = try reader.string("namespace")
        addCall(id, name: tools.name(of: name, in: namespace), arguments)
    }

    private mutating func addCustomCall(_ reader: inout FieldReader) throws(APIError) {
        guard let id = try reader.string("call_id") else { throw .missing(param: reader.path(to: "call_id")) }
        guard let name = try reader.string("name") else { throw .missing(param: reader.path(to: "name")) }
        guard let input = try reader.string("input") else { throw .missing(param: reader.path(to: "input")) }
        _ = reader.value("namespace")
        addCall(id, name: name, .object([ToolSet.customArgument: .string(input)]))
    }

    private mutating func addCall(_ id: String, name: String, _ arguments: JSONValue) {
        turn = turn ?? ChatMessage(.assistant)
        turn?.toolCalls.append(ChatMessage.ToolCall(id: id, name: name, arguments: arguments))
    }

    private mutating func addOutput(_ reader: inout FieldReader) throws(APIError) {
        guard let id = try reader.string("call_id") else { throw .missing(param: reader.path(to: "call_id")) }
        let path = reader.path(to: "output")
        guard let value = reader.value("output") else { throw .missing(param: path) }
        _ = reader.value("name")
        let text = try content.text(of: value, at: path, in: .toolOutput)
        flush()
        messages.append(ChatMessage(text, answering: id))
    }
}
