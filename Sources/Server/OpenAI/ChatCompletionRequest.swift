import ChatTemplates
import JSON

/// The body of `POST /v1/chat/completions`, checked.
package struct ChatCompletionRequest: Sendable {
    /// At least one.
    var messages: [ChatMessage]
    var options: GenerationOptions
    /// The tools that the template shows to the model, as the client wrote them; none when `tool_choice` is `none`.
    var tools: [JSONValue]
    /// Whether the reply has to be calls.
    var mustCall = false
    /// The only tool that it may call, by name.
    var namedTool: String?
    /// Whether a reply may call several tools.
    var callsInParallel = true
    /// Whether the reply shows the model's reasoning.
    var includesReasoning: Bool
    /// Whether the template ends with the beginning of an assistant's turn.
    var addsGenerationPrompt: Bool
    /// Whether the last message, an assistant's, is only the beginning of the reply: the prompt ends with its content.
    var continuesFinalMessage: Bool
    /// What the template may show the model to read, as the client wrote it.
    var documents: [JSONValue]
    /// More variables for the template.
    var templateArguments: JSONObject
    /// The parameter that errors about the conversation name.
    var promptParameter = "messages"

    /// - Throws: the `APIError` that names the first parameter at fault.
    package init(_ body: JSONValue, for model: ServedModel) throws(APIError) {
        var reader = try FieldReader(body)
        try model.check(requestedName: reader.string("model"))
        guard let messages = try reader.array("messages") else { throw .missing(param: "messages") }
        guard model.hasTokenizer, model.hasChatTemplate else {
            let lack = model.hasTokenizer ? "chat template" : "tokenizer"
            throw .textUnavailable(
                param: "messages", message: "This model has no \(lack), so it cannot chat; use /v1/completions.")
        }
        // The template writes the special tokens itself.
        options = try GenerationOptions(reading: &reader, for: model, addsSpecialTokens: false)
        options.maxTokens = try Self.maxTokens(&reader)
        options.logprobs = try Self.logprobs(&reader)
        self.messages = try ChatMessage.decode(
            messages, at: "messages", vocabularySize: model.vocabularySize)
        tools = try Self.tools(&reader)
        callsInParallel = try reader.bool("parallel_tool_calls") ?? true
        includesReasoning = try reader.bool("include_reasoning") ?? true
        options.thinkingTokens = try reader.integer("thinking_token_budget", in: 0...Int.max)
        let effort = try reader.word("reasoning_effort", among: Self.reasoningEfforts)
        continuesFinalMessage = try reader.bool("continue_final_message") ?? false
        addsGenerationPrompt = try reader.bool("add_generation_prompt") ?? !continuesFinalMessage
        documents = try Self.documents(&reader)
        templateArguments = try Self.templateArguments(&reader, effort: effort)
        try readToolChoice(&reader)
        try Self.checkOutputKinds(&reader)
        try reader.refuse("echo", unless: [false])
        try reader.refuse("best_of", unless: [.integer(options.choices)])
        try checkFinalMessage()
        try reader.finish()
    }

    /// What the chat template is rendered with.
    ///
    /// - Parameter specialTokens: `bos_token`, `eos_token` and the like, which `chat_template_kwargs` may replace.
    func templateVariables(specialTokens: JSONObject) -> JSONObject {
        var variables = specialTokens
        for (name, value) in templateArguments { variables[name] = value }
        variables["messages"] = .array(messages.map(\.json))
        // Templates ask whether these are none, so they are always defined.
        variables["tools"] = tools.isEmpty ? JSONValue.null : .array(tools)
        variables["documents"] = documents.isEmpty ? JSONValue.null : .array(documents)
        variables["add_generation_prompt"] = .bool(addsGenerationPrompt)
        return variables
    }

    /// What users, tools and the makers of tools wrote. Everything else is the program's that sends the request, or the
    /// model's.
    var untrustedInputs: UntrustedInputs {
        UntrustedInputs(
            variables: ["tools", "documents"],
            messages: Set(messages.indices.filter { messages[$0].role == .user || messages[$0].role == .tool }))
    }
}

extension ChatCompletionRequest {
    private func checkFinalMessage() throws(APIError) {
        guard continuesFinalMessage else { return }
        guard !addsGenerationPrompt else {
            throw .invalid(
                param: "continue_final_message",
                message: "'continue_final_message' and 'add_generation_prompt' exclude each other.")
        }
        guard let last = messages.last, last.role == .assistant, let text = last.json["content"]?.string, !text.isEmpty
        else {
            throw .invalid(
                param: "continue_final_message",
                message: "'continue_final_message' needs a last message of the assistant's that has text.")
        }
    }

    private static func documents(_ reader: inout FieldReader) throws(APIError) -> [JSONValue] {
        let documents = Array(try reader.array("documents") ?? [])
        for (index, document) in documents.enumerated() where document.object == nil {
            throw .wrongType(document, at: "documents[\(index)]", expected: "an object")
        }
        return documents
    }

    /// `max_completion_tokens` and its older name.
    private static func maxTokens(_ reader: inout FieldReader) throws(APIError) -> Int? {
        let new = try reader.integer("max_completion_tokens", in: 1...Int.max)
        let old = try reader.integer("max_tokens", in: 1...Int.max)
        if let new, let old, new != old {
            throw .invalid(
                param: "max_tokens",
                message: "'max_tokens' is \(old) but 'max_completion_tokens' is \(new); give one of them.")
        }
        return new ?? old
    }

    private static func logprobs(_ reader: inout FieldReader) throws(APIError) -> Int? {
        let isOn = try reader.bool("logprobs") ?? false
        let top = try reader.integer("top_logprobs", in: 0...GenerationOptions.maximumLogprobs)
        if let top, top > 0, !isOn {
            throw .invalid(param: "top_logprobs", message: "'top_logprobs' is only allowed when 'logprobs' is true.")
        }
        return isOn ? top ?? 0 : nil
    }

    /// The tools that the reply may call.
    var callableTools: [JSONValue] {
        guard let namedTool else { return tools }
        return tools.filter { $0["function"]?["name"]?.string == namedTool }
    }

    private static func tools(_ reader: inout FieldReader) throws(APIError) -> [JSONValue] {
        let tools = Array(try reader.array("tools") ?? [])
        for (index, tool) in tools.enumerated() { try checkTool(tool, at: "tools[\(index)]") }
        return tools
    }

    private mutating func readToolChoice(_ reader: inout FieldReader) throws(APIError) {
        switch reader.value("tool_choice") {
        case nil, "auto": return
        case "none": tools = []
        case "required": mustCall = true
        case .object(let object):
            var choice = try FieldReader(.object(object), at: "tool_choice")
            guard try choice.word("type", among: ["function"]) != nil else { throw .missing(param: "tool_choice.type") }
            guard let value = choice.value("function") else { throw .missing(param: "tool_choice.function") }
            try choice.finish()
            var function = try FieldReader(value, at: "tool_choice.function")
            guard let name = try function.string("name") else { throw .missing(param: "tool_choice.function.name") }
            try function.finish()
            guard tools.contains(where: { $0["function"]?["name"]?.string == name }) else {
                throw .invalid(
                    param: "tool_choice.function.name",
                    message: "'tool_choice.function.name' is '\(name.excerpt)', which is not among the tools.")
            }
            (mustCall, namedTool) = (true, name)
        case let value?:
            throw .wrongType(value, at: "tool_choice", expected: "'none', 'auto', 'required' or an object")
        }
        guard mustCall else { return }
        guard !tools.isEmpty else {
            throw .invalid(param: "tool_choice", message: "'tool_choice' needs 'tools' to choose from.")
        }
        // The reply is a call, so there is no answer that could be like anything.
        options.structuredOutput = nil
    }

    private static func checkTool(_ tool: JSONValue, at path: String) throws(APIError) {
        var reader = try FieldReader(tool, at: path)
        guard try reader.word("type", among: ["function"]) != nil else { throw .missing(param: "\(path).type") }
        guard let value = reader.value("function") else { throw .missing(param: "\(path).function") }
        try reader.finish()
        var function = try FieldReader(value, at: "\(path).function")
        guard try function.string("name") != nil else { throw .missing(param: "\(path).function.name") }
        _ = try function.string("description")
        _ = try function.object("parameters")
        _ = try function.bool("strict")
        try function.finish()
    }

    static let reasoningEfforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

    /// - Parameter effort: how much the model is to reason. Templates know the word itself, or whether at all.
    private static func templateArguments(
        _ reader: inout FieldReader, effort: String?
    ) throws(APIError) -> JSONObject {
        var arguments = try reader.object("chat_template_kwargs") ?? [:]
        for name in ["messages", "tools", "documents", "add_generation_prompt"] where arguments[name] != nil {
            throw .invalid(
                param: "chat_template_kwargs.\(name)",
                message: "'\(name)' is a parameter of the request itself and not for 'chat_template_kwargs'.")
        }
        if let effort {
            if arguments["reasoning_effort"] == nil { arguments["reasoning_effort"] = .string(effort) }
            if arguments["enable_thinking"] == nil { arguments["enable_thinking"] = .bool(effort != "none") }
        }
        return arguments
    }

    /// Text is all there is: everything that asks for another kind of output.
    private static func checkOutputKinds(_ reader: inout FieldReader) throws(APIError) {
        if let modalities = try reader.array("modalities"), modalities != ["text"] {
            throw .unsupported(param: "modalities")
        }
        _ = try reader.word("verbosity", among: ["low", "medium", "high"])
        try reader.refuse("audio")
    }
}
