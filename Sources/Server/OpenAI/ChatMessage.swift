import JSON

/// One message of a conversation, in the form that chat templates read: content as one string, the arguments of tool
/// calls as objects.
struct ChatMessage: Sendable, Hashable {
    enum Role: String, Sendable, CaseIterable {
        case system, developer, user, assistant, tool
    }

    /// The older name of the role of a tool's message.
    private static let function = "function"

    var role: Role
    var content: String
    var name: String?
    /// The model's earlier reasoning, which its templates put back into the conversation.
    var reasoning: String?
    var toolCalls: [ToolCall] = []
    var toolCallID: String?
    /// The token ids that an assistant's message was generated as. They then need not be derived from its text.
    var tokenIDs: [Int32] = []

    /// A call that the model made in an earlier turn.
    struct ToolCall: Sendable, Hashable {
        var id: String
        var name: String
        /// An object, or the client's string if it is not a JSON object.
        var arguments: JSONValue
    }

    /// - Parameter vocabularySize: the bound of token ids.
    static func decode(
        _ values: JSONArray, at path: String, vocabularySize: Int, _ policy: ParameterPolicy
    ) throws(APIError) -> [ChatMessage] {
        var messages: [ChatMessage] = []
        for (index, value) in values.enumerated() {
            messages.append(try ChatMessage(value, at: "\(path)[\(index)]", vocabularySize: vocabularySize, policy))
        }
        return messages
    }

    init(_ role: Role, _ content: String = "") {
        self.role = role
        self.content = content
    }

    /// Creates the message with a tool's output.
    init(_ content: String, answering toolCallID: String) {
        self.init(.tool, content)
        self.toolCallID = toolCallID
    }

    init(
        _ value: JSONValue, at path: String, vocabularySize: Int, _ policy: ParameterPolicy
    ) throws(APIError) {
        var reader = try FieldReader(value, at: path, policy)
        let word = try reader.word("role", among: Role.allCases.map(\.rawValue) + [Self.function])
        let known = word == Self.function ? .tool : word.flatMap(Role.init(rawValue:))
        guard let role = known else { throw .missing(param: "\(path).role") }
        self.role = role
        name = try reader.string("name")
        if let value = reader.value("content") {
            var reading = MessageContent(policy)
            let place: MessageContent.Place = role == .tool ? .toolOutput : role == .assistant ? .answer : .message
            content = try reading.text(of: value, at: "\(path).content", in: place)
            if !reading.reasoning.isEmpty { reasoning = reading.reasoning.joined(separator: "\n") }
        } else {
            // An assistant that calls tools and a tool may have no content.
            guard role == .assistant || role == .tool else { throw .missing(param: "\(path).content") }
            content = ""
        }
        switch role {
        case .assistant: try readAssistant(&reader, vocabularySize)
        case .tool:
            toolCallID = try reader.string("tool_call_id")
            if word == Self.function, toolCallID == nil {
                guard name != nil else { throw .missing(param: "\(path).name") }
                toolCallID = Self.functionCallID
            }
            guard toolCallID != nil || !policy.isStrict else { throw .missing(param: "\(path).tool_call_id") }
        default: break
        }
        try reader.finish()
    }

    /// The id of a call in the older form, which has none. The result of such a call directly follows it.
    private static let functionCallID = "function_call"

    /// Whether its content has more than white space.
    var hasText: Bool { content.unicodeScalars.contains { !$0.properties.isWhitespace } }

    /// The message as chat templates read it.
    var json: JSONValue {
        // The templates of this model family know only `system`; `developer` is its newer name.
        let roleName = role == .developer ? Role.system.rawValue : role.rawValue
        var message: JSONObject = ["role": .string(roleName), "content": .string(content)]
        if let name { message["name"] = .string(name) }
        if let reasoning {
            message["reasoning"] = .string(reasoning)
            message["reasoning_content"] = .string(reasoning)
        }
        if !toolCalls.isEmpty { message["tool_calls"] = .array(toolCalls.map(\.json)) }
        if let toolCallID { message["tool_call_id"] = .string(toolCallID) }
        return .object(message)
    }
}

extension ChatMessage {
    /// Reads the members that replies of this and other servers have, because clients send replies back unchanged.
    private mutating func readAssistant(
        _ reader: inout FieldReader, _ vocabularySize: Int
    ) throws(APIError) {
        if let ids = reader.value("token_ids") {
            tokenIDs = try ids.requireTokenIDs(below: vocabularySize, at: reader.path(to: "token_ids"))
        }
        // Some clients send an object or an array under these names.
        let reasoning = reader.value("reasoning")?.string
        let content =
            reader.policy.isStrict ? try reader.string("reasoning_content") : reader.value("reasoning_content")?.string
        self.reasoning = content ?? reasoning ?? self.reasoning
        if let calls = try reader.array("tool_calls") {
            for (index, call) in calls.enumerated() {
                let path = "\(reader.path(to: "tool_calls"))[\(index)]"
                toolCalls.append(try ToolCall(call, number: index, at: path, reader.policy))
            }
        }
        // The older form of a call, of which a message has one.
        if let call = reader.value("function_call"), toolCalls.isEmpty {
            let path = reader.path(to: "function_call")
            toolCalls = [try ToolCall(function: call, at: path, id: Self.functionCallID, reader.policy)]
        }
        // If the model refused, its refusal is the content.
        let refusal = reader.value("refusal")?.string
        if self.content.isEmpty, let refusal { self.content = refusal }
        _ = reader.value("annotations")
    }
}

extension ChatMessage.ToolCall {
    /// - Parameter number: the index of the call in its message.
    init(_ value: JSONValue, number: Int, at path: String, _ policy: ParameterPolicy) throws(APIError) {
        var reader = try FieldReader(value, at: path, policy)
        // What clients leave out or send in another form does not change the prompt.
        guard let id = try reader.string("id") ?? (policy.isStrict ? nil : "call_\(number)") else {
            throw .missing(param: "\(path).id")
        }
        let types = ["function"] + (policy.isStrict ? [] : ["custom"])
        guard let type = try reader.word("type", among: types) ?? (policy.isStrict ? nil : "function") else {
            throw .missing(param: "\(path).type")
        }
        if type == "custom" {
            guard let name = reader.value("custom")?["name"]?.string else {
                throw .missing(param: "\(path).custom.name")
            }
            let input = value["custom"]?["input"]?.string ?? ""
            self.init(id: id, name: name, arguments: .object([ToolSet.customArgument: .string(input)]))
            return
        }
        guard let function = reader.value("function") else { throw .missing(param: "\(path).function") }
        // The index of the call in a stream, which clients that collect one keep.
        _ = try reader.integer("index", in: 0...Int.max)
        try reader.finish()
        try self.init(function: function, at: "\(path).function", id: id, policy)
    }

    /// - Parameter function: the name and the arguments.
    fileprivate init(
        function: JSONValue, at path: String, id: String, _ policy: ParameterPolicy
    ) throws(APIError) {
        var body = try FieldReader(function, at: path, policy)
        guard let name = try body.string("name") else { throw .missing(param: "\(path).name") }
        let found = body.value("arguments")
        guard found != nil || !policy.isStrict else { throw .missing(param: "\(path).arguments") }
        let given = found ?? .object([:])
        let arguments: JSONValue
        switch given {
        case .string(let text): arguments = Self.parse(text)
        // OpenAI requires a string, but some programs send the parsed arguments.
        case .object: arguments = given
        default: throw .wrongType(given, at: "\(path).arguments", expected: "a string or an object")
        }
        try body.finish()
        self.init(id: id, name: name, arguments: arguments)
    }

    /// Parses the arguments of a call, because many templates can only print a mapping. Empty text means no arguments.
    static func parse(_ text: String) -> JSONValue {
        guard !text.isEmpty else { return .object([:]) }
        guard let value = try? JSONValue(parsing: text, limits: .init(values: 1 << 18)), value.object != nil else {
            return .string(text)
        }
        return value
    }

    fileprivate var json: JSONValue {
        ["id": .string(id), "type": "function", "function": ["name": .string(name), "arguments": arguments]]
    }
}
