import JSON

/// The validated body of `POST /v1/completions`.
package struct CompletionRequest: Sendable {
    /// One prompt, before or after tokenization.
    enum Prompt: Sendable, Hashable {
        case text(String)
        case ids([Int32])
    }

    /// At least one.
    var prompts: [Prompt]
    var options: GenerationOptions
    /// The ignored parameters of the request.
    private(set) var ignored = IgnoredParameters()

    /// - Throws: the `APIError` that names the first invalid parameter.
    package init(_ body: JSONValue, for model: ServedModel) throws(APIError) {
        let policy = model.parameterPolicy
        var reader = try FieldReader(body, policy)
        try model.check(requestedName: reader.string("model"))
        guard let prompt = reader.value("prompt") else { throw .missing(param: "prompt") }
        options = try GenerationOptions(reading: &reader, for: model, addsSpecialTokens: true)
        try options.readMaxTokens(&reader, atLeast: 0)
        // Chat clients send `false` for no log-probabilities.
        if policy.isStrict || reader.value("logprobs") != false {
            options.logprobs = try reader.integer("logprobs", in: 0...GenerationOptions.maximumLogprobs)
        }
        options.echoesPrompt = try reader.bool("echo") ?? false
        options.candidates = try Self.candidates(&reader, options)
        prompts = try Self.prompts(prompt, at: "prompt", for: model)
        for (name, harmless) in [
            ("function_call", ["none", "auto"]), ("functions", [[]]), ("include_reasoning", [true]),
            ("reasoning_effort", []), ("thinking_token_budget", []),
        ] as [(String, [JSONValue])] {
            try reader.refuse(name, unless: harmless)
        }
        try reader.finish()
        ignored = policy.ignored
        let sequences = prompts.count * options.candidates
        guard sequences <= GenerationOptions.maximumSequences else {
            let limit = GenerationOptions.maximumSequences
            throw .invalid(
                param: "prompt",
                message: """
                    Prompts times 'n' or 'best_of' must be at most \(limit), not \(prompts.count) times \
                    \(options.candidates).
                    """)
        }
    }

    private static func candidates(
        _ reader: inout FieldReader, _ options: GenerationOptions
    ) throws(APIError) -> Int {
        let choices = options.choices
        guard let candidates = try reader.integer("best_of", in: 1...GenerationOptions.maximumChoices) else {
            return choices
        }
        guard candidates >= choices else {
            throw .invalid(
                param: "best_of", message: "'best_of' must be at least 'n', which is \(choices), not \(candidates).")
        }
        // The best candidates are known only when all have ended.
        guard candidates == choices || options.streaming == nil else {
            throw .invalid(param: "best_of", message: "'best_of' above 'n' is only allowed when 'stream' is false.")
        }
        return candidates
    }

    /// Returns the prompts of a string, an array of token ids, or an array of either.
    ///
    /// - Parameter parameter: the name of the parameter, for errors.
    static func prompts(
        _ value: JSONValue, at parameter: String, for model: ServedModel
    ) throws(APIError) -> [Prompt] {
        guard case .array(let elements) = value else { return [try prompt(value, at: parameter, for: model)] }
        guard let first = elements.first else {
            throw .invalid(param: parameter, message: "'\(parameter)' must not be an empty array.")
        }
        if first.double != nil { return [try prompt(value, at: parameter, for: model)] }
        var prompts: [Prompt] = []
        for (index, element) in elements.enumerated() {
            prompts.append(try prompt(element, at: "\(parameter)[\(index)]", for: model))
        }
        return prompts
    }

    private static func prompt(_ value: JSONValue, at path: String, for model: ServedModel) throws(APIError) -> Prompt {
        switch value {
        case .string(let text):
            guard model.hasTokenizer else {
                throw .textUnavailable(
                    param: path, message: "This model has no tokenizer: give the prompt as an array of token ids.")
            }
            return .text(text)
        case .array(let elements):
            guard !elements.isEmpty else {
                throw .invalid(param: path, message: "'\(path)' must contain at least one token id.")
            }
            return .ids(try value.requireTokenIDs(below: model.vocabularySize, at: path))
        default:
            throw .wrongType(value, at: path, expected: "a string or an array of token ids")
        }
    }
}
