import ChatTemplates
import JSON

/// The validated body of `POST /v1/chat/completions`.
package struct ChatCompletionRequest: Sendable {
    /// At least one.
    var messages: [ChatMessage]
    var options: GenerationOptions
    /// The tools and the tool choice.
    var toolSet: ToolSet
    /// Whether the reply shows the model's reasoning.
    var includesReasoning: Bool
    /// Whether the template ends with the beginning of an assistant's turn.
    var addsGenerationPrompt: Bool
    /// Whether the reply continues the last message, which is an assistant's. The prompt then ends with its content.
    var continuesFinalMessage: Bool
    /// Documents for the template, as the client sent them.
    var documents: [JSONValue]
    /// Additional variables for the template.
    var templateArguments: JSONObject
    /// The ignored parameters of the request.
    var ignored = IgnoredParameters()
    /// The parameter in errors about the conversation.
    var promptParameter = "messages"

    /// - Throws: the `APIError` that names the first invalid parameter.
    package init(_ body: JSONValue, for model: ServedModel) throws(APIError) {
        try self.init(body, for: model, model.parameterPolicy)
    }

    /// - Parameters:
    ///   - policy: the policy for unsupported parameters of `body`.
    ///   - givenMessages: the messages of a request of another API; nil: they are in the body.
    ///   - givenTools: the tools of a request of another API; nil: they are in the body.
    init(
        _ body: JSONValue, for model: ServedModel, _ policy: ParameterPolicy,
        messages givenMessages: [ChatMessage]? = nil, tools givenTools: ToolSet? = nil
    ) throws(APIError) {
        var reader = try FieldReader(body, policy)
        try model.check(requestedName: reader.string("model"))
        let values = try reader.array("messages")
        guard values != nil || givenMessages != nil else { throw .missing(param: "messages") }
        guard model.hasTokenizer, model.hasChatTemplate else {
            let lack = model.hasTokenizer ? "chat template" : "tokenizer"
            throw .textUnavailable(
                param: "messages",
                message: "This model has no \(lack), which chat requests require; use /v1/completions.")
        }
        // The template writes the special tokens itself.
        options = try GenerationOptions(reading: &reader, for: model, addsSpecialTokens: false)
        try options.readMaxTokens(&reader, atLeast: 1)
        options.logprobs = try Self.logprobs(&reader)
        messages = givenMessages ?? []
        if let values {
            messages = try ChatMessage.decode(
                values, at: "messages", vocabularySize: model.vocabularySize, policy)
        }
        guard !messages.isEmpty else {
            throw .invalid(param: "messages", message: "'messages' must contain at least one message.")
        }
        includesReasoning = try reader.bool("include_reasoning") ?? true
        options.thinkingTokens = try reader.integer("thinking_token_budget", in: 0...Int.max)
        options.requiresThinkingBound = options.thinkingTokens != nil
        let reasoning = try ReasoningRequest(&reader)
        // Clients that use these parameters cannot know whether the model reasons. A model that does not reason satisfies any
        // budget.
        options.thinkingTokens = options.thinkingTokens ?? reasoning.budget
        if reasoning.isHidden { includesReasoning = false }
        continuesFinalMessage = try reader.bool("continue_final_message") ?? false
        addsGenerationPrompt = try reader.bool("add_generation_prompt") ?? !continuesFinalMessage
        documents = try Self.documents(&reader)
        templateArguments = try Self.templateArguments(&reader, reasoning)
        if let givenTools { toolSet = givenTools } else { toolSet = try ToolSet(&reader, .chat) }
        try preferCall(policy)
        try Self.checkOutputKinds(&reader)
        try reader.refuse("echo", unless: [false])
        try reader.refuse("best_of", unless: [.integer(options.choices)])
        try checkFinalMessage()
        try reader.finish()
        ignored = policy.ignored
    }

    /// Returns the variables of the chat template.
    ///
    /// - Parameter specialTokens: `bos_token`, `eos_token` and the like, which `chat_template_kwargs` may replace.
    func templateVariables(specialTokens: JSONObject) -> JSONObject {
        var variables = specialTokens
        for (name, value) in templateArguments { variables[name] = value }
        variables["messages"] = .array(messages.map(\.json))
        // Templates compare these with none, so they are always defined.
        variables["tools"] = tools.isEmpty ? JSONValue.null : .array(tools)
        variables["documents"] = documents.isEmpty ? JSONValue.null : .array(documents)
        variables["add_generation_prompt"] = .bool(addsGenerationPrompt)
        return variables
    }

    /// The text of users, tools and tool descriptions. Everything else was written by the calling program or the model.
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
                message: "'continue_final_message' and 'add_generation_prompt' cannot be used together.")
        }
        guard let last = messages.last, last.role == .assistant, last.hasText else {
            throw .invalid(
                param: "continue_final_message",
                message: "'continue_final_message' requires that the last message is an assistant message with text.")
        }
    }

    private static func documents(_ reader: inout FieldReader) throws(APIError) -> [JSONValue] {
        let documents = Array(try reader.array("documents") ?? [])
        for (index, document) in documents.enumerated() where document.object == nil {
            throw .wrongType(document, at: "documents[\(index)]", expected: "an object")
        }
        return documents
    }

    private static func logprobs(_ reader: inout FieldReader) throws(APIError) -> Int? {
        let isOn = try reader.bool("logprobs") ?? false
        let top = try reader.integer("top_logprobs", in: 0...GenerationOptions.maximumLogprobs)
        if let top, top > 0, !isOn {
            throw .invalid(param: "top_logprobs", message: "'top_logprobs' is only allowed when 'logprobs' is true.")
        }
        return isOn ? top ?? 0 : nil
    }

    /// The tools that the template shows.
    var tools: [JSONValue] { toolSet.definitions }
    /// The tools that the reply may call.
    var callableTools: [JSONValue] { toolSet.callable }
    /// Whether the reply must be tool calls.
    var mustCall: Bool { toolSet.mustCall }
    /// The name of the only tool that it may call.
    var namedTool: String? { toolSet.namedTool }
    /// Whether a reply may call several tools.
    var callsInParallel: Bool { toolSet.callsInParallel }

    /// A forced call takes precedence over a response format.
    mutating func preferCall(_ policy: ParameterPolicy) throws(APIError) {
        guard mustCall, let structuredOutput = options.structuredOutput else { return }
        try policy.ignore(structuredOutput.param) {
            .invalid(
                param: structuredOutput.param,
                message: "'\(structuredOutput.param)' and 'tool_choice' cannot be used together.")
        }
        options.structuredOutput = nil
    }

    /// - Parameter reasoning: the reasoning settings. Templates use the effort, or only whether to reason.
    private static func templateArguments(
        _ reader: inout FieldReader, _ reasoning: ReasoningRequest
    ) throws(APIError) -> JSONObject {
        var arguments = try reader.object("chat_template_kwargs") ?? [:]
        for name in ["messages", "tools", "documents", "add_generation_prompt"] where arguments[name] != nil {
            throw .invalid(
                param: "chat_template_kwargs.\(name)",
                message: "'\(name)' is a request parameter and cannot be in 'chat_template_kwargs'.")
        }
        if let effort = reasoning.effort, arguments["reasoning_effort"] == nil {
            arguments["reasoning_effort"] = .string(effort)
        }
        if let isEnabled = reasoning.isEnabled, arguments["enable_thinking"] == nil {
            arguments["enable_thinking"] = .bool(isEnabled)
        }
        return arguments
    }

    /// Refuses requests for other output than text.
    private static func checkOutputKinds(_ reader: inout FieldReader) throws(APIError) {
        if let modalities = try reader.array("modalities"), modalities != ["text"] {
            throw .unsupported(param: "modalities")
        }
        _ = try reader.word("verbosity", among: ["low", "medium", "high"])
        try reader.refuse("audio")
    }
}
