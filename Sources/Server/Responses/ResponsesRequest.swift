import JSON

/// Converts the body of `POST /v1/responses`, OpenAI's Responses API without stored state, to a chat completion request.
package enum ResponsesRequest {
    /// - Throws: the `APIError` that names the first invalid parameter.
    package static func translate(_ body: JSONValue, for model: ServedModel) throws(APIError) -> ChatTranslation {
        let policy = model.parameterPolicy
        var reader = try FieldReader(body, policy)
        guard let input = reader.value("input") else { throw .missing(param: "input") }
        var messages: [ChatMessage] = []
        if let instructions = try reader.string("instructions") {
            messages.append(ChatMessage(.system, instructions))
        }
        let tools = try ToolSet(&reader, .responses)
        messages += try ResponsesInput.messages(of: input, tools, policy)
        guard !messages.isEmpty else {
            throw .invalid(param: "input", message: "'input' must contain an item that the model can read.")
        }
        var request = try ChatTranslation(
            &reader, messages: messages, tools: tools, promptParameter: "input",
            formatter: ResponsesFormatter(request: body, tools: tools),
            foreign: ["max_tokens", "messages", "stop_sequences", "system"])
        request.clampsMaxTokens = true
        if let limit = try reader.integer("max_output_tokens", in: 1...Int.max) {
            request.body["max_tokens"] = .integer(limit)
        }
        try readReasoning(&reader, &request)
        try readText(&reader, &request)
        try readLogprobs(&reader, &request)
        try readHarmless(&reader)
        try reader.finish()
        return request
    }
}

extension ResponsesRequest {
    /// Reads `reasoning`. The reply has the reasoning itself, so a requested summary has no effect.
    private static func readReasoning(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        guard let value = reader.value("reasoning") else { return }
        var reasoning = try FieldReader(value, at: "reasoning", reader.policy)
        let effort = try reasoning.word("effort", among: ReasoningRequest.efforts)
        request.body["reasoning_effort"] = effort.map(JSONValue.string)
        for name in ["summary", "generate_summary", "context"] { _ = reasoning.value(name) }
        try reasoning.finish()
    }

    private static func readText(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        guard let value = reader.value("text") else { return }
        var text = try FieldReader(value, at: "text", reader.policy)
        _ = try text.word("verbosity", among: ["low", "medium", "high"])
        let format = text.value("format")
        try text.finish()
        request.structuredOutput = try StructuredOutput.read(
            format: format, at: "text.format", .responses, reader.policy)
    }

    /// Reads `include` and `top_logprobs`. Alternatives of tokens also enable log-probabilities.
    private static func readLogprobs(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        let top = try reader.integer("top_logprobs", in: 0...GenerationOptions.maximumLogprobs) ?? 0
        var isOn = top > 0
        for (index, word) in (try reader.array("include") ?? []).enumerated() {
            let path = "include[\(index)]"
            switch try word.requireString(at: path) {
            case "message.output_text.logprobs": isOn = true
            // Reasoning is sent unencrypted, and a client can send it back, so it need not be stored.
            case "reasoning.encrypted_content": continue
            // All others are about hosted tools.
            case let name: try reader.policy.ignore("include.\(name)") { .unsupported(param: path) }
            }
        }
        guard isOn else { return }
        request.body["logprobs"] = true
        request.body["top_logprobs"] = .integer(top)
    }

    /// Checks the parameters that the response repeats, with OpenAI's limits.
    private static func checkRepeated(_ reader: inout FieldReader) throws(APIError) {
        func check(_ path: String, _ count: Int, atMost most: Int, _ unit: String) throws(APIError) {
            guard count > most else { return }
            throw .invalid(param: path, message: "'\(path)' must have at most \(most) \(unit), not \(count).")
        }
        try check("user", try reader.string("user")?.utf8.count ?? 0, atMost: 512, "bytes")
        let metadata = try reader.object("metadata") ?? [:]
        try check("metadata", metadata.count, atMost: 16, "members")
        for (name, value) in metadata {
            let path = "metadata.\(name.excerpt)"
            try check(path, name.unicodeScalars.count, atMost: 64, "characters in its name")
            try check(path, value.string?.unicodeScalars.count ?? value.serialized.count, atMost: 512, "characters")
        }
    }

    /// Reads parameters that clients send and that have no effect. Refuses those that require stored replies.
    private static func readHarmless(_ reader: inout FieldReader) throws(APIError) {
        for name in ["safety_identifier", "prompt_cache_key", "prompt_cache_retention"] {
            _ = try reader.string(name)
        }
        try checkRepeated(&reader)
        for name in ["client_metadata", "prompt_cache_options"] { _ = try reader.object(name) }
        _ = try reader.word("service_tier", among: ["auto", "default", "flex", "scale", "priority"])
        if var options = try reader.reader("stream_options") {
            for name in ["include_obfuscation", "include_usage"] { _ = try options.bool(name) }
            try options.finish()
        }
        try reader.ignore("store", unless: [false])
        try reader.ignore("truncation", unless: ["disabled"])
        // A limit for hosted tools, which the server does not have.
        _ = try reader.integer("max_tool_calls", in: 0...Int.max)
        try reader.refuse("background", unless: [false])
        for name in ["previous_response_id", "conversation", "prompt"] { try reader.refuse(name) }
    }
}
