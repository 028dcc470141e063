import JSON

/// A request in the form of another API, as the chat completion that it asks for. What is named otherwise there has been
/// checked already, so that errors name what the client wrote.
package struct ChatTranslation {
    /// The conversation, as chat templates read it.
    let messages: [ChatMessage]
    /// The other parameters, as the body of a chat completion request.
    var body: JSONObject = [:]
    /// The tools and what the reply may do with them.
    let tools: ToolSet
    /// What the reply has to be like.
    var structuredOutput: StructuredOutput?
    /// How the reply is written.
    var formatter: any ResponseFormatter
    /// The parameter that holds the conversation.
    var promptParameter: String
    /// Whether a token limit beyond the room that the prompt leaves is that room.
    var clampsMaxTokens = false
    /// What the request has that the server does without.
    let policy: ParameterPolicy

    /// Parameters of chat completions that other APIs take under the same names, their own and ours.
    static let sharedParameters = [
        "model", "stream", "temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty",
        "repetition_penalty", "seed", "cache_salt", "priority", "timeout", "speculative", "chat_template_kwargs",
    ]

    init(
        _ reader: inout FieldReader, messages: [ChatMessage], tools: ToolSet, promptParameter: String,
        formatter: any ResponseFormatter
    ) {
        self.messages = messages
        for name in Self.sharedParameters { body[name] = reader.value(name) }
        self.promptParameter = promptParameter
        policy = reader.policy
        self.formatter = formatter
        self.tools = tools
    }
}

extension ChatCompletionRequest {
    /// - Throws: the `APIError` that names the first parameter at fault.
    package init(_ translation: ChatTranslation, for model: ServedModel) throws(APIError) {
        // A body of ours, of which nothing is to be told.
        try self.init(
            .object(translation.body), for: model, ParameterPolicy(isStrict: true), messages: translation.messages,
            tools: translation.tools)
        ignored = translation.policy.ignored
        promptParameter = translation.promptParameter
        options.clampsMaxTokens = translation.clampsMaxTokens
        guard let structuredOutput = translation.structuredOutput else { return }
        options.structuredOutput = structuredOutput
        try preferCall(translation.policy)
        ignored = translation.policy.ignored
    }
}
