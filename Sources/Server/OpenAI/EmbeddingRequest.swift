import JSON

/// The validated body of `POST /v1/embeddings`.
struct EmbeddingRequest: Sendable {
    /// The format of vectors.
    enum Encoding: String, Sendable, CaseIterable {
        /// Numbers.
        case float
        /// The bytes of little-endian float32 numbers.
        case base64
    }

    /// At least one.
    var inputs: [CompletionRequest.Prompt]
    var encoding: Encoding
    var options: GenerationOptions
    /// The ignored parameters of the request.
    private(set) var ignored = IgnoredParameters()

    /// Parameters of completions that also apply to embeddings.
    private static let sharedParameters = [
        "user", "priority", "timeout", "add_special_tokens", "truncate_prompt_tokens", "truncation_side",
    ]

    /// - Throws: the `APIError` that names the first invalid parameter.
    init(_ body: JSONValue, for model: ServedModel) throws(APIError) {
        let policy = model.parameterPolicy
        var reader = try FieldReader(body, policy)
        try model.check(requestedName: reader.string("model"))
        guard let input = reader.value("input") else { throw .missing(param: "input") }
        let word = try reader.word("encoding_format", among: Encoding.allCases.map(\.rawValue))
        encoding = word.flatMap(Encoding.init) ?? .float
        let width = model.hiddenSize
        guard try reader.integer("dimensions", in: .min ... .max) ?? width == width else {
            throw .invalid(
                param: "dimensions",
                message: "'dimensions' must be \(width) or left out: vectors of this model cannot be shortened.")
        }
        var shared = JSONObject()
        for name in Self.sharedParameters { shared[name] = reader.value(name) }
        var sharedReader = try FieldReader(.object(shared), policy)
        options = try GenerationOptions(reading: &sharedReader, for: model, addsSpecialTokens: true)
        options.maxTokens = 0
        options.embedsPrompts = true
        inputs = try CompletionRequest.prompts(input, at: "input", for: model)
        try reader.finish()
        ignored = policy.ignored
        guard inputs.count <= GenerationOptions.maximumSequences else {
            let limit = GenerationOptions.maximumSequences
            throw .invalid(param: "input", message: "'input' must have at most \(limit) texts, not \(inputs.count).")
        }
    }
}
