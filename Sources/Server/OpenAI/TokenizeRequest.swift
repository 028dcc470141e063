import JSON

/// The validated body of `POST /tokenize`: a text, or a chat that is rendered.
struct TokenizeRequest: Sendable {
    enum Input: Sendable {
        case prompt(String, addsSpecialTokens: Bool)
        case chat(ChatCompletionRequest)
    }

    var input: Input
    /// Whether the reply has `token_strs`.
    var returnsTokens: Bool
    /// The ignored parameters of the request; a chat has its own.
    private(set) var ignored = IgnoredParameters()

    /// - Throws: the `APIError` that names the first invalid parameter.
    init(_ body: JSONValue, for model: ServedModel) throws(APIError) {
        let policy = model.parameterPolicy
        var reader = try FieldReader(body, policy)
        returnsTokens = try reader.bool("return_token_strs") ?? false
        if let messages = reader.value("messages") {
            guard reader.value("prompt") == nil else {
                throw .invalid(param: "prompt", message: "Give 'prompt' or 'messages', not both.")
            }
            // The rest is read like a chat request, which can be sent here unchanged.
            var chat = body.object ?? [:]
            chat["return_token_strs"] = nil
            chat["prompt"] = nil
            chat["messages"] = messages
            input = .chat(try ChatCompletionRequest(.object(chat), for: model, policy))
            return
        }
        try model.check(requestedName: reader.string("model"))
        guard let prompt = try reader.string("prompt") else { throw .missing(param: "prompt") }
        guard model.hasTokenizer else { throw .noTokenizer(param: "prompt") }
        input = .prompt(prompt, addsSpecialTokens: try reader.bool("add_special_tokens") ?? true)
        _ = reader.value("messages")
        try reader.finish()
        ignored = policy.ignored
    }
}

/// The validated body of `POST /detokenize`.
struct DetokenizeRequest: Sendable {
    var tokens: [Int32]
    /// The ignored parameters of the request.
    private(set) var ignored = IgnoredParameters()

    /// - Throws: the `APIError` that names the first invalid parameter.
    init(_ body: JSONValue, for model: ServedModel) throws(APIError) {
        let policy = model.parameterPolicy
        var reader = try FieldReader(body, policy)
        try model.check(requestedName: reader.string("model"))
        guard let tokens = reader.value("tokens") else { throw .missing(param: "tokens") }
        guard model.hasTokenizer else { throw .noTokenizer(param: "tokens") }
        self.tokens = try tokens.requireTokenIDs(below: model.vocabularySize, at: "tokens")
        try reader.finish()
        ignored = policy.ignored
    }
}

extension APIError {
    fileprivate static func noTokenizer(param: String) -> APIError {
        .textUnavailable(param: param, message: "This model has no tokenizer.")
    }
}
