import JSON

/// Converts the body of `POST /v1/messages`, Anthropic's Messages API, to a chat completion request.
package enum MessagesRequest {
    /// - Parameter counts: whether the request is for `count_tokens`, which has no reply.
    /// - Throws: the `APIError` that names the first invalid parameter.
    package static func translate(
        _ body: JSONValue, for model: ServedModel, counts: Bool = false
    ) throws(APIError) -> ChatTranslation {
        let policy = model.parameterPolicy
        var reader = try FieldReader(body, policy)
        try refuseThread(&reader)
        var content = MessagesContent(policy)
        try content.read(&reader)
        let tools = try ToolSet(&reader, .messages, references: content.toolReferences)
        let maxTokens = try reader.integer("max_tokens", in: 1...Int.max)
        guard counts || maxTokens != nil else { throw .missing(param: "max_tokens") }
        let messages = content.messages
        var request = try ChatTranslation(
            &reader, messages: messages, tools: tools, promptParameter: "messages",
            formatter: MessagesFormatter(maxTokens: maxTokens), foreign: ["input", "instructions", "max_output_tokens"])
        request.clampsMaxTokens = true
        request.body["max_tokens"] = maxTokens.map(JSONValue.integer)
        // If the last message is text from the assistant, it is the beginning of the reply.
        if let last = messages.last, last.role == .assistant, last.hasText {
            request.body["continue_final_message"] = true
        }
        request.body["stop"] = try stopSequences(&reader)
        try readThinking(&reader, &request)
        try readOutput(&reader, &request)
        try readHarmless(&reader)
        try reader.finish()
        return request
    }
}

extension MessagesRequest {
    private static func stopSequences(_ reader: inout FieldReader) throws(APIError) -> JSONValue? {
        guard let texts = try reader.array("stop_sequences") else { return nil }
        let most = GenerationOptions.maximumStopStrings
        guard texts.count <= most else {
            throw .invalid(
                param: "stop_sequences",
                message: "'stop_sequences' must contain at most \(most) strings, not \(texts.count).")
        }
        for (index, text) in texts.enumerated() {
            let bytes = try text.requireString(at: "stop_sequences[\(index)]").utf8.count
            let mostBytes = GenerationOptions.maximumStopStringBytes
            guard 1...mostBytes ~= bytes else {
                throw .invalid(
                    param: "stop_sequences",
                    message: "'stop_sequences' must contain strings of 1 to \(mostBytes) bytes, not \(bytes).")
            }
        }
        return .array(texts)
    }

    /// Refuses threads, which are conversations that the server stores. Anthropic's client reacts to this error by sending the
    /// whole conversation.
    private static func refuseThread(_ reader: inout FieldReader) throws(APIError) {
        if reader.value("thread") != nil { throw .unsupportedThread }
    }

    /// Reads `thinking`. Reasoning is returned only on request, because other clients would take the first block for the answer.
    private static func readThinking(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        var shows = false
        if let value = reader.value("thinking") {
            var thinking = try FieldReader(value, at: "thinking", reader.policy)
            guard let type = try thinking.word("type", among: ["enabled", "disabled", "adaptive"]) else {
                throw .missing(param: "thinking.type")
            }
            let budget = try thinking.integer("budget_tokens", in: 1...Int.max)
            shows = try thinking.string("display") != "omitted" && type != "disabled"
            try thinking.finish()
            if type == "enabled" {
                guard let budget else { throw .missing(param: "thinking.budget_tokens") }
                request.body["reasoning"] = ["max_tokens": .integer(budget)]
            } else if budget != nil {
                throw .invalid(
                    param: "thinking.budget_tokens",
                    message: "'thinking.budget_tokens' is only allowed when 'thinking.type' is 'enabled'.")
            }
            var arguments = request.body["chat_template_kwargs"]?.object ?? [:]
            if request.body["chat_template_kwargs"] == nil || request.body["chat_template_kwargs"]?.object != nil {
                if arguments["enable_thinking"] == nil { arguments["enable_thinking"] = .bool(type != "disabled") }
                request.body["chat_template_kwargs"] = .object(arguments)
            }
        }
        request.body["include_reasoning"] = .bool(shows)
    }

    private static func readOutput(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        // The earlier name of `output_config.format`.
        let earlier = reader.value("output_format")
        var (format, path) = (earlier, "output_format")
        if var output = try reader.reader("output_config") {
            let effort = try output.word("effort", among: ["low", "medium", "high", "xhigh", "max"])
            request.body["reasoning_effort"] = effort.map(JSONValue.string)
            if let current = output.value("format") {
                guard earlier == nil || earlier == current else {
                    throw .invalid(
                        param: "output_format",
                        message: "'output_format' and 'output_config.format' cannot be used together.")
                }
                (format, path) = (current, "output_config.format")
            }
            try output.finish()
        }
        request.structuredOutput = try StructuredOutput.read(format: format, at: path, .messages, reader.policy)
    }

    /// Reads parameters that clients send and that have no effect.
    private static func readHarmless(_ reader: inout FieldReader) throws(APIError) {
        _ = try reader.object("metadata")
        _ = try reader.word("service_tier", among: ["auto", "standard_only"])
        // No effect: prompts are cached without it.
        _ = try reader.object("cache_control")
        guard var management = try reader.reader("context_management") else { return }
        for edit in try management.array("edits") ?? [] {
            // Nothing is cleared, so an edit that keeps everything is satisfied.
            if edit["type"] == "clear_thinking_20251015", edit["keep"] == "all" { continue }
            try reader.policy.ignoreUnsupported("context_management.edits")
        }
        try management.finish()
    }
}
