import JSON

/// The body of `POST /v1/messages`, Anthropic's Messages API, as the chat completion that it asks for.
package enum MessagesRequest {
    /// - Parameter counts: whether it is one of `count_tokens`, which has no reply.
    /// - Throws: the `APIError` that names the first parameter at fault.
    package static func translate(_ body: JSONValue, counts: Bool = false) throws(APIError) -> ChatTranslation {
        var reader = try FieldReader(body)
        guard let given = try reader.array("messages") else { throw .missing(param: "messages") }
        var messages = try system(&reader)
        for (index, message) in given.enumerated() { messages += try turns(message, at: "messages[\(index)]") }
        guard !given.isEmpty else {
            throw .invalid(param: "messages", message: "'messages' must hold at least one message.")
        }
        var request = ChatTranslation(
            &reader, messages: messages, promptParameter: "messages", formatter: MessagesFormatter())
        // A last message of the assistant's is the beginning of the reply.
        if messages.last?["role"] == "assistant" { request.body["continue_final_message"] = true }
        if let limit = try reader.integer("max_tokens", in: 1...Int.max) {
            request.body["max_tokens"] = .integer(limit)
        } else if !counts {
            throw .missing(param: "max_tokens")
        }
        request.body["stop"] = try stopSequences(&reader)
        try readTools(&reader, &request)
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
                message: "'stop_sequences' must hold at most \(most) strings, not \(texts.count).")
        }
        for (index, text) in texts.enumerated() {
            guard try !text.requireString(at: "stop_sequences[\(index)]").isEmpty else {
                throw .invalid(
                    param: "stop_sequences", message: "'stop_sequences' must not hold an empty string.")
            }
        }
        return .array(texts)
    }

    private static func readTools(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        var names: [String] = []
        if let tools = try reader.array("tools") {
            var translated: [JSONValue] = []
            for (index, tool) in tools.enumerated() {
                let (name, tool) = try self.tool(tool, at: "tools[\(index)]")
                names.append(name)
                translated.append(tool)
            }
            request.body["tools"] = .array(translated)
        }
        guard let value = reader.value("tool_choice") else { return }
        var choice = try FieldReader(value, at: "tool_choice")
        guard let type = try choice.word("type", among: ["auto", "any", "tool", "none"]) else {
            throw .missing(param: "tool_choice.type")
        }
        if try choice.bool("disable_parallel_tool_use") == true { request.body["parallel_tool_calls"] = false }
        let name = try choice.string("name")
        try choice.finish()
        switch type {
        case "tool":
            guard let name else { throw .missing(param: "tool_choice.name") }
            guard names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
                throw .invalid(
                    param: "tool_choice.name",
                    message: "'tool_choice.name' is '\(name.excerpt)', which is not among the tools.")
            }
            request.body["tool_choice"] = ["type": "function", "function": ["name": .string(name)]]
        case "any": request.body["tool_choice"] = "required"
        default: request.body["tool_choice"] = .string(type)
        }
    }

    private static func tool(_ tool: JSONValue, at path: String) throws(APIError) -> (name: String, JSONValue) {
        var reader = try FieldReader(tool, at: path)
        // Anthropic's own tools have types of their own; nobody runs them here.
        if let type = try reader.string("type"), type != "custom" { throw .unsupported(param: "\(path).type") }
        guard let name = try reader.string("name") else { throw .missing(param: "\(path).name") }
        guard let schema = try reader.object("input_schema") else { throw .missing(param: "\(path).input_schema") }
        var function: JSONObject = ["name": .string(name), "parameters": .object(schema)]
        function["description"] = try reader.string("description").map(JSONValue.string)
        function["strict"] = try reader.bool("strict").map(JSONValue.bool)
        _ = try reader.object("cache_control")
        // Arguments are streamed as they come either way.
        _ = try reader.bool("eager_input_streaming")
        try reader.finish()
        return (name, ["type": "function", "function": .object(function)])
    }

    /// Reasoning is shown to who asks for it; other clients take the first block for the answer.
    private static func readThinking(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        var shows = false
        if let value = reader.value("thinking") {
            var thinking = try FieldReader(value, at: "thinking")
            guard let type = try thinking.word("type", among: ["enabled", "disabled", "adaptive"]) else {
                throw .missing(param: "thinking.type")
            }
            let budget = try thinking.integer("budget_tokens", in: 1...Int.max)
            shows = try thinking.word("display", among: ["summarized", "omitted"]) != "omitted" && type != "disabled"
            try thinking.finish()
            if type == "enabled" {
                guard let budget else { throw .missing(param: "thinking.budget_tokens") }
                request.body["thinking_token_budget"] = .integer(budget)
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
        guard let value = reader.value("output_config") else { return }
        var output = try FieldReader(value, at: "output_config")
        let effort = try output.word("effort", among: ["low", "medium", "high", "xhigh", "max"])
        request.body["reasoning_effort"] = effort.map(JSONValue.string)
        let format = output.value("format")
        try output.finish()
        guard let format else { return }
        var reader = try FieldReader(format, at: "output_config.format")
        guard try reader.word("type", among: ["json_schema"]) != nil else {
            throw .missing(param: "output_config.format.type")
        }
        guard let schema = try reader.object("schema") else { throw .missing(param: "output_config.format.schema") }
        try reader.finish()
        request.structuredOutput = StructuredOutput(
            source: .jsonSchema(.object(schema)), param: "output_config.format.schema")
    }

    /// What changes nothing here and what clients send all the same.
    private static func readHarmless(_ reader: inout FieldReader) throws(APIError) {
        if let value = reader.value("metadata") {
            var metadata = try FieldReader(value, at: "metadata")
            _ = try metadata.string("user_id")
            try metadata.finish()
        }
        _ = try reader.word("service_tier", among: ["auto", "standard_only"])
        // The prefix cache is there for every prompt.
        _ = try reader.object("cache_control")
        guard let value = reader.value("context_management") else { return }
        var management = try FieldReader(value, at: "context_management")
        for (index, edit) in (try management.array("edits") ?? []).enumerated() {
            // Nothing is cleared here, so only to keep all is kept to.
            guard edit["type"] == "clear_thinking_20251015", edit["keep"] == "all" else {
                throw .unsupported(param: "context_management.edits[\(index)]")
            }
        }
        try management.finish()
    }
}
