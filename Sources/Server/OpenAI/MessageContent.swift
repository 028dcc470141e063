import JSON

/// Reads the content of messages: a string, or parts in the forms of OpenAI's and Anthropic's APIs.
struct MessageContent {
    /// The kind of a content, which determines how parts other than text are handled.
    enum Place {
        /// An image or a file is refused: the answer would not take it into account.
        case message
        /// A line of text replaces what was left out: the tool's other output remains useful, and the session can continue.
        case toolOutput
        /// The content of an assistant's message. Parts with reasoning are collected separately.
        case answer
    }

    let policy: ParameterPolicy
    /// The tools in Anthropic's `tool_reference` parts.
    private(set) var toolReferences: Set<String> = []
    /// The reasoning in the content of an assistant's message.
    private(set) var reasoning: [String] = []

    init(_ policy: ParameterPolicy) {
        self.policy = policy
    }

    /// Returns the text of a content. Parts are joined by line feeds.
    ///
    /// - Throws: the `APIError` that names the first invalid part.
    mutating func text(of value: JSONValue, at path: String, in place: Place = .message) throws(APIError) -> String {
        switch value {
        case .string(let text): return text
        case .array(let parts):
            var texts: [String] = []
            for (index, part) in parts.enumerated() {
                let path = "\(path)[\(index)]"
                if place == .answer, try takeReasoning(part, at: path) { continue }
                texts.append(try text(ofPart: part, at: path, in: place))
            }
            return texts.joined(separator: "\n")
        // The output of a tool may also be JSON.
        case _ where place == .toolOutput && !policy.isStrict && !value.isNull:
            return String(decoding: value.serialized, as: UTF8.self)
        default: throw .wrongType(value, at: path, expected: "a string or an array of text parts")
        }
    }

    /// Returns the text of one part.
    mutating func text(ofPart part: JSONValue, at path: String, in place: Place) throws(APIError) -> String {
        // Some clients send plain strings as parts, or leave out the type.
        if !policy.isStrict, let text = part.string { return text }
        var reader = try FieldReader(part, at: path, policy)
        let isText = !policy.isStrict && part["text"]?.string != nil
        guard let type = try reader.string("type") ?? (isText ? "text" : nil) else {
            throw .missing(param: "\(path).type")
        }
        return try text(&reader, type, at: path, in: place)
    }

    /// Takes a part if it is reasoning, in the spellings of Anthropic, Mistral and others. Returns whether it is.
    private mutating func takeReasoning(_ part: JSONValue, at path: String) throws(APIError) -> Bool {
        switch part["type"]?.string {
        case "thinking", "reasoning":
            guard !policy.isStrict else { return false }
            guard let value = part["thinking"] ?? part["text"] ?? part["reasoning"], !value.isNull else { return true }
            reasoning.append(try text(of: value, at: path))
            return true
        case "redacted_thinking":
            try Self.ignoreRedactedThinking(at: path, policy)
            return true
        default: return false
        }
    }

    /// Ignores encrypted reasoning of another server, which only that server can decrypt.
    static func ignoreRedactedThinking(at path: String, _ policy: ParameterPolicy) throws(APIError) {
        try policy.ignoreUnsupported("\(path).redacted_thinking")
    }

    /// Whether the type is a hosted tool's call or result, or another block that a text model does not need.
    static func isHosted(_ type: String) -> Bool {
        type.hasSuffix("_tool_result") || ["server_tool_use", "mcp_tool_use", "container_upload"].contains(type)
    }

    /// Returns the text of the part that `reader` reads.
    mutating func text(
        _ reader: inout FieldReader, _ type: String, at path: String, in place: Place
    ) throws(APIError) -> String {
        let text: String
        switch type {
        case "text", "input_text", "output_text", "summary_text", "reasoning_text":
            guard let value = try reader.string("text") else { throw .missing(param: "\(path).text") }
            text = value
        case "refusal":
            guard let value = try reader.string("refusal") else { throw .missing(param: "\(path).refusal") }
            text = value
        case "tool_reference":
            guard let value = try reader.string("tool_name") else { throw .missing(param: "\(path).tool_name") }
            toolReferences.insert(value)
            text = value
        case "document", "search_result":
            guard let value = try document(&reader, at: path, in: place) else {
                return try omitted(type, at: path, in: place)
            }
            text = value
        default: return try omitted(type, at: path, in: place)
        }
        // No effect: prompts are cached without it, and the text includes cited passages.
        _ = try reader.object("cache_control")
        for name in ["annotations", "citations", "logprobs"] { _ = reader.value(name) }
        try reader.finish()
        return text
    }

    /// Returns the text of one of Anthropic's documents or search results; nil if it has none.
    private mutating func document(
        _ reader: inout FieldReader, at path: String, in place: Place
    ) throws(APIError) -> String? {
        let head = [try reader.string("title"), try reader.string("context")].compactMap(\.self)
        var text: String?
        if let content = reader.value("content") {
            text = try self.text(of: content, at: "\(path).content", in: place)
            _ = reader.value("source")
        } else if var source = try reader.reader("source") {
            switch try source.string("type") {
            case "text": text = try source.string("data")
            case "content":
                text = try source.value("content").map { value throws(APIError) in
                    try self.text(of: value, at: "\(path).source.content", in: place)
                }
            default: break
            }
            _ = source.value("media_type")
            if text != nil { try source.finish() }
        }
        return text.map { (head + [$0]).joined(separator: "\n") }
    }

    private func omitted(_ type: String, at path: String, in place: Place) throws(APIError) -> String {
        guard place == .toolOutput else {
            throw .invalid(
                param: path, message: "'\(path)' is a part of type '\(type.excerpt)'; this model reads text only.")
        }
        let kind =
            switch type {
            case "image", "image_url", "input_image": "image"
            case "input_audio", "audio": "audio"
            default: "file"
            }
        try policy.ignoreUnsupported("\(path).\(type.excerpt)")
        return "[\(kind) omitted: this model reads text only]"
    }
}
