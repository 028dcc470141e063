import JSON

/// A request of another API, translated to a chat completion request. Parameters with other names have been checked before, so
/// that errors use the client's names.
package struct ChatTranslation {
    /// The conversation, in the form that chat templates read.
    let messages: [ChatMessage]
    /// The other parameters, as the body of a chat completion request.
    var body: JSONObject = [:]
    /// The tools and the tool choice.
    let tools: ToolSet
    /// The constraint on the reply.
    var structuredOutput: StructuredOutput?
    /// How the reply is written.
    var formatter: any ResponseFormatter
    /// The parameter that holds the conversation.
    var promptParameter: String
    /// Whether a token limit above the remaining context is reduced to it.
    var clampsMaxTokens = false
    /// The policy for parameters that the server does not support.
    let policy: ParameterPolicy

    /// Parameters of chat completions that other APIs accept under the same names, both theirs and ours.
    static let sharedParameters = [
        "model", "stream", "temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty",
        "repetition_penalty", "seed", "cache_salt", "priority", "timeout", "speculative", "chat_template_kwargs",
    ]

    /// Parameters of chat completions that would change the reply and that other APIs do not have, with the values that have no
    /// effect.
    private static let refusedParameters: [(name: String, harmless: [JSONValue])] = [
        ("allowed_token_ids", []), ("bad_words", [[]]), ("ebnf", []), ("function_call", ["none", "auto"]),
        ("functions", [[]]), ("grammar", [""]), ("guided_choice", []), ("guided_grammar", []), ("guided_json", []),
        ("guided_regex", []), ("ignore_eos", [false]), ("json_schema", []), ("logit_bias", [[:]]),
        ("max_completion_tokens", []), ("min_tokens", [0]), ("n", [1]), ("n_predict", []), ("regex", []),
        ("response_format", [["type": "text"]]), ("stop", [[], ""]), ("stop_token_ids", [[]]),
        ("structured_outputs", [[:]]),
    ]

    /// - Parameter foreign: parameters of other APIs that would change the reply, in addition to those of chat completions.
    /// - Throws: the `APIError` that names a parameter that the API does not have.
    init(
        _ reader: inout FieldReader, messages: [ChatMessage], tools: ToolSet, promptParameter: String,
        formatter: any ResponseFormatter, foreign: [String]
    ) throws(APIError) {
        for (name, harmless) in Self.refusedParameters { try reader.refuse(name, unless: harmless) }
        // An empty one has no effect, but is as unknown to a strict server as any other.
        for name in foreign { try reader.refuse(name, unless: reader.policy.isStrict ? [] : ["", []]) }
        self.messages = messages
        for name in Self.sharedParameters { body[name] = reader.value(name) }
        self.promptParameter = promptParameter
        policy = reader.policy
        self.formatter = formatter
        self.tools = tools
    }
}

extension ChatCompletionRequest {
    /// - Throws: the `APIError` that names the first invalid parameter.
    package init(_ translation: ChatTranslation, for model: ServedModel) throws(APIError) {
        // The body was created by the server, so ignored parameters are not reported.
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
