import JSON

/// The conversation of a Messages request, converted to chat messages.
struct MessagesContent {
    private(set) var messages: [ChatMessage] = []
    private var content: MessageContent
    private let policy: ParameterPolicy
    /// Whether an assistant message has been read. Later system messages keep their position.
    private var hasAnswer = false

    /// The deferred tools that the conversation refers to.
    var toolReferences: Set<String> { content.toolReferences }

    init(_ policy: ParameterPolicy) {
        self.policy = policy
        content = MessageContent(policy)
    }

    /// Reads `system` and `messages`.
    ///
    /// - Throws: the `APIError` that names the first invalid block.
    mutating func read(_ reader: inout FieldReader) throws(APIError) {
        if let value = reader.value("system") { addSystem(try system(value, at: "system")) }
        guard let given = try reader.array("messages") else { throw .missing(param: "messages") }
        guard !given.isEmpty else {
            throw .invalid(param: "messages", message: "'messages' must contain at least one message.")
        }
        for (index, message) in given.enumerated() { try read(message, at: "messages[\(index)]") }
    }

    /// Reads one message. Each tool result becomes a separate message.
    private mutating func read(_ message: JSONValue, at path: String) throws(APIError) {
        var reader = try FieldReader(message, at: path, policy)
        let roles: [ChatMessage.Role] = [.user, .assistant, .system] + (policy.isStrict ? [] : [.developer])
        let word = try reader.word("role", among: roles.map(\.rawValue))
        guard let role = word.flatMap(ChatMessage.Role.init) else { throw .missing(param: "\(path).role") }
        guard let value = reader.value("content") else { throw .missing(param: "\(path).content") }
        try reader.finish()
        let path = "\(path).content"
        switch (role, value) {
        case (.system, _), (.developer, _): addSystem(try system(value, at: path))
        case (.user, .array(let blocks)): try readUser(blocks, at: path)
        case (.assistant, .array(let blocks)):
            messages.append(try assistant(blocks, at: path))
            hasAnswer = true
        default:
            messages.append(ChatMessage(role, try content.text(of: value, at: path)))
            hasAnswer = hasAnswer || role == .assistant
        }
    }

    /// Adds a system message. Most templates support only one, at the beginning, so those before the first assistant message are
    /// joined there.
    private mutating func addSystem(_ text: String) {
        guard !text.isEmpty else { return }
        guard !hasAnswer else { return messages.append(ChatMessage(.system, text)) }
        if messages.first?.role == .system {
            messages[0].content += "\n" + text
        } else {
            messages.insert(ChatMessage(.system, text), at: 0)
        }
    }

    /// Returns the text of a system prompt without the block in which Claude Code identifies its build and session. That block
    /// differs between sessions, so it would prevent prefix cache hits.
    private mutating func system(_ value: JSONValue, at path: String) throws(APIError) -> String {
        guard case .array(let blocks) = value else { return try content.text(of: value, at: path) }
        var texts: [String] = []
        for (index, block) in blocks.enumerated() {
            let text = try content.text(ofPart: block, at: "\(path)[\(index)]", in: .message)
            if !text.hasPrefix("x-anthropic-billing-header:") { texts.append(text) }
        }
        return texts.joined(separator: "\n")
    }

    private mutating func readUser(_ blocks: JSONArray, at path: String) throws(APIError) {
        var texts: [String] = []
        var isEmpty = true
        func flush(_ texts: inout [String], _ messages: inout [ChatMessage]) {
            if !texts.isEmpty { messages.append(ChatMessage(.user, texts.joined(separator: "\n"))) }
            texts = []
        }
        for (index, block) in blocks.enumerated() {
            let path = "\(path)[\(index)]"
            guard block["type"]?.string == "tool_result" else {
                texts.append(try content.text(ofPart: block, at: path, in: .message))
                continue
            }
            flush(&texts, &messages)
            messages.append(try toolResult(block, at: path))
            isEmpty = false
        }
        if isEmpty, texts.isEmpty { texts = [""] }
        flush(&texts, &messages)
    }

    private mutating func toolResult(_ block: JSONValue, at path: String) throws(APIError) -> ChatMessage {
        var reader = try FieldReader(block, at: path, policy)
        _ = reader.value("type")
        guard let id = try reader.string("tool_use_id") else { throw .missing(param: "\(path).tool_use_id") }
        var text = ""
        if let value = reader.value("content") {
            text = try content.text(of: value, at: "\(path).content", in: .toolOutput)
        }
        // Templates have no other way to mark an error.
        if try reader.bool("is_error") == true { text = "Error: \(text)" }
        // No effect: prompts are cached without it.
        _ = try reader.object("cache_control")
        try reader.finish()
        return ChatMessage(text, answering: id)
    }

    /// Returns the arguments of a tool call. Some clients send them as a string.
    private func input(_ reader: inout FieldReader) throws(APIError) -> JSONValue {
        if !policy.isStrict, let text = reader.value("input")?.string { return ChatMessage.ToolCall.parse(text) }
        guard let input = try reader.object("input") else { throw .missing(param: reader.path(to: "input")) }
        return .object(input)
    }

    private mutating func assistant(_ blocks: JSONArray, at path: String) throws(APIError) -> ChatMessage {
        var turn = ChatMessage(.assistant)
        var texts: [String] = []
        var reasoning: [String] = []
        for (index, block) in blocks.enumerated() {
            let path = "\(path)[\(index)]"
            var reader = try FieldReader(block, at: path, policy)
            guard let type = try reader.string("type") else { throw .missing(param: "\(path).type") }
            switch type {
            case "thinking":
                guard let text = try reader.string("thinking") else { throw .missing(param: "\(path).thinking") }
                _ = try reader.string("signature")
                reasoning.append(text)
            case "redacted_thinking":
                try MessageContent.ignoreRedactedThinking(at: path, policy)
                continue
            case "tool_use":
                guard let id = try reader.string("id") else { throw .missing(param: "\(path).id") }
                guard let name = try reader.string("name") else { throw .missing(param: "\(path).name") }
                turn.toolCalls.append(ChatMessage.ToolCall(id: id, name: name, arguments: try input(&reader)))
            case "compaction" where reader.value("content")?.string != nil:
                // A summary of the earlier conversation.
                texts.append(try reader.string("content") ?? "")
            case _ where MessageContent.isHosted(type) || type == "compaction":
                try policy.ignore("messages.content.\(type)") {
                    .invalid(
                        param: path, message: "'\(path)' is a part of type '\(type.excerpt)', which is not supported.")
                }
                continue
            default:
                texts.append(try content.text(&reader, type, at: path, in: .message))
                continue
            }
            _ = try reader.object("cache_control")
            try reader.finish()
        }
        turn.content = texts.joined(separator: "\n")
        if !reasoning.isEmpty { turn.reasoning = reasoning.joined(separator: "\n") }
        return turn
    }
}
