import JSON

/// Reads the content of messages: a string, or parts in the forms of OpenAI's and Anthropic's APIs.
struct MessageContent {
    /// The kind of a content, which determines how parts other than text are handled.
    enum Place {
        /// An image or a file is refused: the answer would not take it into account.
        case message
        /// A line of text replaces what was left out: the tool's other output remains useful, and the session can continue.
        case toolOutput
        /// What the assistant said: reasoning among it is kept apart.
        case answer
    }

    let policy: ParameterPolicy
    /// The tools in Anthropic's `tool_reference` parts.
    private(set) var toolReferences: Set<String> = []
    /// The reasoning that stood among what the assistant said.
    private(set) var reasoning: [String] = []

    init(_ policy: ParameterPolicy) {
        self.policy = policy
    }

    /// The text of a content; parts are joined by line feeds.
    ///
    /// - Throws: `APIError` that names the first invalid part.
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
        // Tools also give their output as JSON.
        case _ where place == .toolOutput && !policy.isStrict && !value.isNull:
            return String(decoding: value.serialized, as: UTF8.self)
        default: throw .wrongType(value, at: path, expected: "a string or an array of text parts")
        }
    }

    /// The text of one part.
    mutating func text(ofPart part: JSONValue, at path: String, in place: Place) throws(APIError) -> String {
        // Some clients put texts into the list as they are, or leave their type out.
        if !policy.isStrict, let text = part.string { return text }
        var reader = try FieldReader(part, at: path, policy)
        let isText = !policy.isStrict && part["text"]?.string != nil
        guard let type = try reader.string("type") ?? (isText ? "text" : nil) else {
            throw .missing(param: "\(path).type")
        }
        return try text(&reader, type, at: path, in: place)
    }

    /// Takes a part of an answer that is reasoning, in the spellings of Anthropic, Mistral and others; returns whether it is.
    private mutating func takeReasoning(_ part: JSONValue, at path: String) throws(APIError) -> Bool {
        switch part["type"]?.string {
        case "thinking", "reasoning":
            guard !policy.isStrict else { return false }
            guard let value = part["thinking"] ?? part["text"] ?? part["reasoning"], !value.isNull else { return true }
            reasoning.append(try text(of: value, at: path))
            return true
        case "redacted_thinking":
            // Of another server, which only that server can read.
            try policy.ignoreUnsupported("\(path).redacted_thinking")
            return true
        default: return false
        }
    }

    /// What a hosted tool did, and other blocks of an answer that a text model does without.
    static func isHosted(_ type: String) -> Bool {
        type.hasSuffix("_tool_result") || ["server_tool_use", "mcp_tool_use", "container_upload"].contains(type)
    }

    /// The text of the part that `reader` reads.
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
        // The prefix cache covers every prompt, and a text includes the cited passages.
        _ = try reader.object("cache_control")
        for name in ["annotations", "citations", "logprobs"] { _ = reader.value(name) }
        try reader.finish()
        return text
    }

    /// The text of one of Anthropic's documents or search results; nil if it has none.
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
