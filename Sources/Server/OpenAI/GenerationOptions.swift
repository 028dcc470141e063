import Engine
import Grammars
import JSON

/// The generation parameters that the endpoints have in common.
struct GenerationOptions: Sendable {
    /// The sampling parameters without seed and choice, which are set for each sequence.
    var sampling: SamplingParameters
    /// The request's `seed`; `nil`: each prompt gets a random one.
    var seed: Int?
    var stop = StopConditions()
    /// The token limit; `nil`: the endpoint's default, limited to the remaining context; 0: nothing is generated.
    var maxTokens: Int?
    /// Whether the default is the remaining context, regardless of the endpoint's default.
    var fillsContext = false
    /// Whether `maxTokens` beyond the remaining context is reduced to it.
    var clampsMaxTokens = false
    /// `n`: the number of completions for each prompt.
    var choices = 1
    /// `best_of`: the number of completions generated for each prompt, at least `choices`; the reply has the most likely ones.
    var candidates = 1
    /// The number of alternatives to report for each token; `nil`: no log-probabilities.
    var logprobs: Int?
    /// The number of alternatives to report for each token of the prompt, in a separate list.
    var promptLogprobs: Int?
    /// Whether each choice's text begins with the prompt, and its log-probabilities with the prompt's.
    var echoesPrompt = false
    /// Words that are never generated, as text.
    var badWords: [String] = []
    /// The truncation of prompts; `nil`: none.
    var truncation: Truncation?
    /// Whether log-probabilities name tokens as `token_id:N`.
    var namesTokensByID = false
    /// Whether each choice carries `token_ids` and `prompt_token_ids`.
    var returnsTokenIDs = false
    var skipsSpecialTokens = true
    /// Special tokens that are kept in the text: the tags that separate the parts of a reply.
    var keptSpecialTokens: Set<Int32> = []
    /// Whether the tokenizer adds its special tokens to a text prompt.
    var addsSpecialTokens: Bool
    /// The options of a stream; `nil`: the reply is not streamed.
    var streaming: Streaming?
    /// The priority. Lower values run first.
    var priority = 0
    /// Requests with different salts do not share cached prefixes, so that response times do not reveal other requests' prompts.
    var cacheSalt = ""
    /// The constraint on the output, and the parameter that sets it; `nil`: none.
    var structuredOutput: StructuredOutput?
    /// The constraint as a grammar.
    var grammar: GrammarMatcher?
    /// The maximum number of reasoning tokens; `nil`: no limit.
    var thinkingTokens: Int?
    /// Whether `thinkingTokens` is refused for a model whose reasoning cannot be limited.
    var requiresThinkingBound = false
    /// The resulting limit with this model and prompt.
    var thinking: ThinkingBudget?
    /// Whether a stream reports the progress of prefill.
    var returnsProgress = false
    /// Whether the reply has timings.
    var timings = TimingsReport.never
    /// Whether to use speculative decoding, if the server has it.
    var speculates = true
    /// Whether the mean of each prompt's hidden states is requested instead of tokens.
    var embedsPrompts = false
    /// The time from the request's arrival after which it is aborted.
    var timeout: Duration?
    /// Whether the request has a `service_tier`, so that the reply names the only one.
    var namesServiceTier = false

    /// Whether and when a reply has timings.
    enum TimingsReport: Sendable, Hashable {
        case never
        /// With the whole reply, or with a stream's last chunk that has a choice.
        case atEnd
        /// With every chunk that has a choice.
        case always
    }

    /// Limits a prompt to its last or its first tokens.
    struct Truncation: Sendable, Hashable {
        /// `nil`: as many as leave room for the completion.
        var tokens: Int?
        var keepsEnd: Bool
    }

    /// How a stream reports its usage.
    struct Streaming: Sendable, Hashable {
        /// One chunk with the usage before the end, `"usage": null` in all others.
        var includesUsage = false
        /// The usage so far in every chunk.
        var reportsUsageContinuously = false
    }

    /// The maximum number of choices of one prompt.
    static let maximumChoices = 128
    /// The maximum number of sequences of one request: prompts times choices.
    static let maximumSequences = 1024
    static let maximumLogprobs = 20
    static let maximumStopStrings = 16
    /// The maximum size of a stop string in bytes. It is bounded because each token's text is matched with all of them.
    static let maximumStopStringBytes = 4096
    static let maximumStopTokenIDs = 1024
    static let priorities = -100...100
    /// The valid timeouts in seconds; the lower bound is excluded.
    static let timeouts = 0.0...86400
    static let maximumBadWords = 1000
    static let maximumBadWordBytes = 256
    static let maximumSaltLength = 128

    /// Reads the common parameters. The endpoints read `max_tokens` and the log-probabilities.
    init(
        reading reader: inout FieldReader, for model: ServedModel, addsSpecialTokens: Bool
    ) throws(APIError) {
        sampling = model.samplingDefaults
        self.addsSpecialTokens = try reader.bool("add_special_tokens") ?? addsSpecialTokens
        try readSampling(&reader, model)
        try readStop(&reader, model)
        try readStreaming(&reader)
        choices = try reader.integer("n", in: 1...Self.maximumChoices) ?? 1
        candidates = choices
        try readPromptOptions(&reader, model)
        namesTokensByID = try reader.bool("return_tokens_as_token_ids") ?? false
        returnsTokenIDs = try reader.bool("return_token_ids") ?? false
        skipsSpecialTokens = try reader.bool("skip_special_tokens") ?? true
        cacheSalt = try Self.cacheSalt(&reader)
        priority = try reader.integer("priority", in: Self.priorities) ?? 0
        speculates = try Self.speculates(&reader, model)
        returnsProgress = try reader.bool("return_progress") ?? false
        if try reader.bool("timings") == true { timings = .atEnd }
        if try reader.bool("timings_per_token") == true { timings = .always }
        structuredOutput = try StructuredOutput.read(&reader, model)
        if let structuredOutput, sampling.allowedTokenIDs != nil {
            throw .invalid(
                param: "allowed_token_ids",
                message: "'allowed_token_ids' and '\(structuredOutput.param)' cannot be used together.")
        }
        timeout = try reader.number("timeout", in: Self.timeouts, isOpen: true).map { .seconds(Double($0)) }
        try readHarmless(&reader)
    }
}

extension GenerationOptions {
    /// Reads `max_completion_tokens`, its older name or llama.cpp's. -1 means as many tokens as fit.
    mutating func readMaxTokens(_ reader: inout FieldReader, atLeast least: Int) throws(APIError) {
        var limit: (name: String, tokens: Int)?
        for name in ["max_completion_tokens", "max_tokens", "n_predict"] {
            guard let tokens = try reader.tokenLimit(name, atLeast: least) else { continue }
            if let limit, limit.tokens != tokens {
                throw .invalid(
                    param: name,
                    message: "'\(name)' is \(tokens) but '\(limit.name)' is \(limit.tokens); give one of them.")
            }
            limit = (name, tokens)
        }
        guard let limit else { return }
        (maxTokens, fillsContext) = limit.tokens < 0 ? (nil, true) : (limit.tokens, false)
    }

    private mutating func readSampling(_ reader: inout FieldReader, _ model: ServedModel) throws(APIError) {
        seed = try Self.seed(&reader)
        if let value = try reader.number("temperature", in: 0...2) { sampling.temperature = value }
        // With 0, only the most likely token remains, as with any value below its probability.
        if let value = try reader.number("top_p", in: 0...1) { sampling.topP = max(value, .leastNormalMagnitude) }
        // -1 means off.
        if let value = try reader.integer("top_k", in: -1...Int.max) {
            sampling.topK = min(max(value, 0), model.vocabularySize)
        }
        if let value = try reader.number("min_p", in: 0...1) { sampling.minP = value }
        if let value = try reader.number("presence_penalty", in: -2...2) { sampling.presencePenalty = value }
        if let value = try reader.number("frequency_penalty", in: -2...2) { sampling.frequencyPenalty = value }
        // The first name is llama.cpp's. Logits are divided by the value: closer to zero they would overflow.
        for name in ["repeat_penalty", "repetition_penalty"] {
            if let value = try reader.number(name, in: 0.01...100) { sampling.repetitionPenalty = value }
        }
        if let value = try reader.integer("min_tokens", in: 0...Int.max) { sampling.minTokens = value }
        if let bias = try reader.object("logit_bias") {
            sampling.logitBias = try readBias(bias, at: reader.path(to: "logit_bias"), below: model.vocabularySize)
        }
        if let ids = reader.value("allowed_token_ids") {
            let path = reader.path(to: "allowed_token_ids")
            let ids = try ids.requireTokenIDs(below: model.vocabularySize, at: path)
            guard !ids.isEmpty else { throw .invalid(param: path, message: "'\(path)' must not be empty.") }
            sampling.allowedTokenIDs = Set(ids).sorted()
        }
        try readBadWords(&reader, model)
    }

    /// Reads the seed: 64 bits, signed or unsigned.
    private static func seed(_ reader: inout FieldReader) throws(APIError) -> Int? {
        guard let value = reader.value("seed") else { return nil }
        if case .bigInteger(let digits) = value, let seed = UInt64(digits) { return Int(truncatingIfNeeded: seed) }
        return try value.requireInteger(in: Int.min...Int.max, at: reader.path(to: "seed"))
    }

    private static func speculates(_ reader: inout FieldReader, _ model: ServedModel) throws(APIError) -> Bool {
        let speculates = try reader.bool("speculative")
        if speculates == true, !model.speculates {
            let path = reader.path(to: "speculative")
            throw .invalid(
                param: path, message: "'\(path)' cannot be true: the server runs without --spec-method ngram.")
        }
        return speculates ?? true
    }

    private static func cacheSalt(_ reader: inout FieldReader) throws(APIError) -> String {
        guard let salt = try reader.string("cache_salt") else { return "" }
        let path = reader.path(to: "cache_salt")
        guard 1...maximumSaltLength ~= salt.unicodeScalars.count else {
            throw .invalid(
                param: path,
                message:
                    "'\(path)' must have from 1 to \(maximumSaltLength) characters, not \(salt.unicodeScalars.count).")
        }
        return salt
    }

    private mutating func readBadWords(_ reader: inout FieldReader, _ model: ServedModel) throws(APIError) {
        guard let words = try reader.array("bad_words") else { return }
        let path = reader.path(to: "bad_words")
        guard words.count <= Self.maximumBadWords else {
            throw .invalid(
                param: path,
                message: "'\(path)' must contain at most \(Self.maximumBadWords) strings, not \(words.count).")
        }
        for (index, word) in words.enumerated() {
            let word = try word.requireString(at: "\(path)[\(index)]")
            guard !word.isEmpty else {
                throw .invalid(param: path, message: "'\(path)' must not contain an empty string.")
            }
            guard word.utf8.count <= Self.maximumBadWordBytes else {
                throw .invalid(
                    param: path,
                    message:
                        "'\(path)' must contain strings of at most \(Self.maximumBadWordBytes) bytes, not \(word.utf8.count)."
                )
            }
            badWords.append(word)
        }
        guard words.isEmpty || model.hasTokenizer else {
            throw .textUnavailable(
                param: path, message: "This model has no tokenizer, so '\(path)' cannot be used; use logit_bias.")
        }
    }

    private mutating func readPromptOptions(_ reader: inout FieldReader, _ model: ServedModel) throws(APIError) {
        promptLogprobs = try reader.integer("prompt_logprobs", in: 0...Self.maximumLogprobs)
        let path = reader.path(to: "prompt_logprobs")
        guard promptLogprobs == nil || streaming == nil else {
            throw .invalid(param: path, message: "'\(path)' is only allowed when 'stream' is false.")
        }
        let side = try reader.word("truncation_side", among: ["left", "right"])
        // -1 means as many as fit.
        guard let tokens = try reader.integer("truncate_prompt_tokens", in: -1...Int.max) else { return }
        guard tokens != 0 else {
            let path = reader.path(to: "truncate_prompt_tokens")
            throw .invalid(param: path, message: "'\(path)' must be -1 or at least 1, not 0.")
        }
        truncation = Truncation(tokens: tokens < 0 ? nil : tokens, keepsEnd: side != "right")
    }

    private func readBias(
        _ object: JSONObject, at path: String, below vocabularySize: Int
    ) throws(APIError) -> [LogitBias] {
        var bias: [LogitBias] = []
        for (name, value) in object {
            // In canonical form, so that no id can occur twice.
            guard let id = Int32(name), 0..<vocabularySize ~= Int(id), String(id).utf8.elementsEqual(name.utf8) else {
                throw .invalid(
                    param: path,
                    message: "'\(path)' has the key '\(name.excerpt)', not a token id from 0 to \(vocabularySize - 1).")
            }
            guard let number = value.double, -100...100 ~= number else {
                throw .invalid(
                    param: path,
                    message: "'\(path)' must contain numbers from -100 to 100, not \(value.summary) for token \(id).")
            }
            bias.append(LogitBias(id: id, bias: Float(number)))
        }
        return bias.sorted { $0.id < $1.id }
    }

    private mutating func readStop(_ reader: inout FieldReader, _ model: ServedModel) throws(APIError) {
        let path = reader.path(to: "stop")
        switch reader.value("stop") {
        case nil: break
        case .string(let string): stop.strings = [string]
        case .array(let elements):
            guard elements.count <= Self.maximumStopStrings else {
                throw .invalid(
                    param: path,
                    message: "'\(path)' must contain at most \(Self.maximumStopStrings) strings, not \(elements.count)."
                )
            }
            for (index, element) in elements.enumerated() {
                stop.strings.append(try element.requireString(at: "\(path)[\(index)]"))
            }
        case let value?: throw .wrongType(value, at: path, expected: "a string or an array of strings")
        }
        guard !stop.strings.contains("") else {
            throw .invalid(param: path, message: "'\(path)' must not contain an empty string.")
        }
        if let long = stop.strings.first(where: { $0.utf8.count > Self.maximumStopStringBytes }) {
            throw .invalid(
                param: path,
                message:
                    "'\(path)' must contain strings of at most \(Self.maximumStopStringBytes) bytes, not \(long.utf8.count)."
            )
        }
        guard stop.strings.isEmpty || model.hasTokenizer else {
            throw .textUnavailable(
                param: path, message: "This model has no tokenizer, so '\(path)' cannot be used; use stop_token_ids.")
        }
        if let ids = try reader.array("stop_token_ids") {
            let path = reader.path(to: "stop_token_ids")
            guard ids.count <= Self.maximumStopTokenIDs else {
                throw .invalid(
                    param: path,
                    message: "'\(path)' must contain at most \(Self.maximumStopTokenIDs) ids, not \(ids.count).")
            }
            stop.tokenIDs = Set(try JSONValue.array(ids).requireTokenIDs(below: model.vocabularySize, at: path))
        }
        stop.keepsStopText = try reader.bool("include_stop_str_in_output") ?? false
        stop.ignoresEndOfSequence = try reader.bool("ignore_eos") ?? false
    }

    private mutating func readStreaming(_ reader: inout FieldReader) throws(APIError) {
        let streams = try reader.bool("stream") ?? false
        var streaming = Streaming()
        if var options = try reader.reader("stream_options") {
            streaming.includesUsage = try options.bool("include_usage") ?? false
            streaming.reportsUsageContinuously = try options.bool("continuous_usage_stats") ?? false
            // No effect: this is padding against traffic analysis, which TLS in front of the server may add.
            _ = try options.bool("include_obfuscation")
            try options.finish()
            // Some clients always send the options.
            if !streams, reader.policy.isStrict {
                let path = reader.path(to: "stream_options")
                throw .invalid(param: path, message: "'\(path)' is only allowed when 'stream' is true.")
            }
        }
        self.streaming = streams ? streaming : nil
    }

    /// Reads parameters that clients send and that have no effect.
    private mutating func readHarmless(_ reader: inout FieldReader) throws(APIError) {
        for name in ["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "request_id"] {
            _ = try reader.string(name)
        }
        _ = try reader.object("metadata")
        // No effect: a predicted reply could only make generation faster.
        _ = try reader.object("prediction")
        try reader.ignore("store", unless: [false])
        namesServiceTier =
            try reader.word("service_tier", among: ["auto", "default", "flex", "scale", "priority"]) != nil
        try UnsupportedParameters.read(&reader)
    }
}
