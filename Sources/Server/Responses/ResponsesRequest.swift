import JSON

/// The body of `POST /v1/responses`, OpenAI's Responses API without stored state, as the chat completion that it asks for.
package enum ResponsesRequest {
    /// - Throws: the `APIError` that names the first parameter at fault.
    package static func translate(_ body: JSONValue) throws(APIError) -> ChatTranslation {
        var reader = try FieldReader(body)
        guard let input = reader.value("input") else { throw .missing(param: "input") }
        var messages: [JSONValue] = []
        if let instructions = try reader.string("instructions") {
            messages.append(["role": "system", "content": .string(instructions)])
        }
        messages += try ResponsesInput.messages(of: input)
        var request = ChatTranslation(
            &reader, messages: messages, promptParameter: "input", formatter: ResponsesFormatter(request: body))
        if let limit = try reader.integer("max_output_tokens", in: 1...Int.max) {
            request.body["max_tokens"] = .integer(limit)
        }
        try readTools(&reader, &request)
        try readReasoning(&reader, &request)
        try readText(&reader, &request)
        try readHarmless(&reader, &request)
        try reader.finish()
        return request
    }
}

extension ResponsesRequest {
    private static func readTools(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        if let isParallel = try reader.bool("parallel_tool_calls") {
            request.body["parallel_tool_calls"] = .bool(isParallel)
        }
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
        switch reader.value("tool_choice") {
        case nil: return
        case .string:
            request.body["tool_choice"] =
                try reader.word("tool_choice", among: ["none", "auto", "required"]).map(JSONValue.string)
            guard request.body["tool_choice"] == "required", names.isEmpty else { return }
            throw .invalid(param: "tool_choice", message: "'tool_choice' needs 'tools' to choose from.")
        case let value?:
            guard value.object != nil else {
                throw .wrongType(value, at: "tool_choice", expected: "'none', 'auto', 'required' or an object")
            }
            var choice = try FieldReader(value, at: "tool_choice")
            guard try choice.word("type", among: ["function"]) != nil else { throw .missing(param: "tool_choice.type") }
            guard let name = try choice.string("name") else { throw .missing(param: "tool_choice.name") }
            try choice.finish()
            guard names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
                throw .invalid(
                    param: "tool_choice.name",
                    message: "'tool_choice.name' is '\(name.excerpt)', which is not among the tools.")
            }
            request.body["tool_choice"] = ["type": "function", "function": ["name": .string(name)]]
        }
    }

    private static func tool(_ tool: JSONValue, at path: String) throws(APIError) -> (name: String, JSONValue) {
        var reader = try FieldReader(tool, at: path)
        guard let type = try reader.string("type") else { throw .missing(param: "\(path).type") }
        // OpenAI's own tools have types of their own; nobody runs them here.
        guard type == "function" else { throw .unsupported(param: "\(path).type") }
        guard let name = try reader.string("name") else { throw .missing(param: "\(path).name") }
        var function: JSONObject = ["name": .string(name)]
        function["parameters"] = try reader.object("parameters").map(JSONValue.object)
        function["description"] = try reader.string("description").map(JSONValue.string)
        function["strict"] = try reader.bool("strict").map(JSONValue.bool)
        try reader.finish()
        return (name, ["type": "function", "function": .object(function)])
    }

    /// The reply has the reasoning itself, whatever summary is asked for.
    private static func readReasoning(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        guard let value = reader.value("reasoning") else { return }
        var reasoning = try FieldReader(value, at: "reasoning")
        let effort = try reasoning.word("effort", among: ChatCompletionRequest.reasoningEfforts)
        request.body["reasoning_effort"] = effort.map(JSONValue.string)
        for name in ["summary", "generate_summary"] {
            _ = try reasoning.word(name, among: ["auto", "concise", "detailed"])
        }
        try reasoning.finish()
    }

    private static func readText(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        guard let value = reader.value("text") else { return }
        var text = try FieldReader(value, at: "text")
        _ = try text.word("verbosity", among: ["low", "medium", "high"])
        let format = text.value("format")
        try text.finish()
        guard let format else { return }
        var reader = try FieldReader(format, at: "text.format")
        guard let type = try reader.word("type", among: ["text", "json_object", "json_schema"]) else {
            throw .missing(param: "text.format.type")
        }
        if type == "json_schema" {
            guard let name = try reader.string("name"), !name.isEmpty else { throw .missing(param: "text.format.name") }
            guard let schema = try reader.object("schema") else { throw .missing(param: "text.format.schema") }
            _ = try reader.string("description")
            // Schemas are followed strictly either way.
            _ = try reader.bool("strict")
            request.structuredOutput = StructuredOutput(
                source: .jsonSchema(.object(schema)), param: "text.format.schema")
        } else if type == "json_object" {
            request.structuredOutput = StructuredOutput(source: .jsonObject, param: "text.format")
        }
        try reader.finish()
    }

    /// What changes nothing here and what clients send all the same; and what needs a server that stores replies.
    private static func readHarmless(_ reader: inout FieldReader, _ request: inout ChatTranslation) throws(APIError) {
        for name in ["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"] {
            _ = try reader.string(name)
        }
        _ = try reader.object("metadata")
        _ = try reader.word("service_tier", among: ["auto", "default", "flex", "scale", "priority"])
        if let value = reader.value("stream_options") {
            var options = try FieldReader(value, at: "stream_options")
            _ = try options.bool("include_obfuscation")
            try options.finish()
        }
        // Reasoning is sent in the clear, so that a client can send it back without it being stored.
        let words = try reader.array("include") ?? []
        for (index, word) in words.enumerated() where word != "reasoning.encrypted_content" {
            _ = try word.requireString(at: "include[\(index)]")
            throw .unsupported(param: "include[\(index)]")
        }
        try reader.refuse("store", unless: [false])
        try reader.refuse("background", unless: [false])
        try reader.refuse("truncation", unless: ["disabled"])
        try reader.refuse("top_logprobs", unless: [0])
        for name in ["previous_response_id", "conversation", "prompt", "max_tool_calls"] { try reader.refuse(name) }
    }
}
