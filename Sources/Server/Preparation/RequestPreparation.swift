import Basics
import ChatTemplates
import Engine
import Grammars
import HTTP
import JSON
import Tokenizers

/// Turns a request's body into prompts of token ids. Pure, and the expensive part of a request before the engine, so it
/// runs off the event loop, and asks `Cancellation` whether to stop.
struct RequestPreparation: Sendable {
    /// What the engine and the reply need to know of a request.
    struct Prepared: Sendable {
        /// The name of the model that the request asks for.
        var modelName = ""
        var options: GenerationOptions
        /// (prompts, tokens)
        var promptIDs: [[Int32]]
        /// How the response is written.
        var formatter: any ResponseFormatter
        /// How the parts of a chat's output are told apart; `nil`: it is all content.
        var parsing: OutputParserConfiguration?
        /// What the choices' texts begin with; empty unless the request wants the prompts back.
        var promptTexts: [String] = []
        /// What the request has that the server does without.
        var ignored = IgnoredParameters()
        /// What all of it is charged as, as long as any of it is kept; `nil`: nobody counts.
        var charge: MemoryBudget.Reservation?
    }

    let endpoint: Endpoint
    let model: ServedModel
    let text: TextPipeline?
    /// Whose grammars it may find compiled.
    var tenant = ""
    /// What the request's prompts are charged to; `nil`: nobody counts.
    var memory: RequestMemory?

    /// - Parameters:
    ///   - body: as it came.
    ///   - timeoutKnown: called with the request's `timeout` as soon as it has been read, if it has one.
    /// - Throws: the `APIError` that the client gets.
    func prepare(
        _ body: [UInt8], timeoutKnown: (Duration) -> Void = { _ in }
    ) throws(APIError) -> Prepared {
        let json = try JSONValue(requestBody: body)
        if endpoint.isChat { try memory?.chargeConversation() }
        return try prepare(json, timeoutKnown: timeoutKnown)
    }

    /// The same for a body that has been parsed.
    func prepare(_ json: JSONValue, timeoutKnown: (Duration) -> Void = { _ in }) throws(APIError) -> Prepared {
        var prepared = try read(json, timeoutKnown: timeoutKnown)
        prepared.modelName = model.named(json["model"]?.string).name
        return prepared
    }

    private func read(_ json: JSONValue, timeoutKnown: (Duration) -> Void) throws(APIError) -> Prepared {
        switch endpoint {
        case .completions:
            let request = try CompletionRequest(json, for: model)
            request.options.timeout.map(timeoutKnown)
            return try prepare(request.prompts, request.options, CompletionFormatter()).ignoring(request.ignored)
        case .embeddings:
            let request = try EmbeddingRequest(json, for: model)
            request.options.timeout.map(timeoutKnown)
            return try prepare(request.inputs, request.options, EmbeddingFormatter(encoding: request.encoding))
                .ignoring(request.ignored)
        case .chat:
            let request = try ChatCompletionRequest(json, for: model)
            request.options.timeout.map(timeoutKnown)
            return try prepareChat(request, ChatFormatter())
        case .messages: return try prepareChat(MessagesRequest.translate(json, for: model), timeoutKnown)
        case .responses: return try prepareChat(ResponsesRequest.translate(json, for: model), timeoutKnown)
        }
    }

    private func prepare(
        _ prompts: [CompletionRequest.Prompt], _ options: GenerationOptions, _ formatter: any ResponseFormatter
    ) throws(APIError) -> Prepared {
        let parameter = endpoint.promptParameter
        var promptIDs: [[Int32]] = []
        var texts: [String] = []
        for (index, prompt) in prompts.enumerated() {
            if Cancellation.isRequested { throw .aborted }
            switch prompt {
            case .ids(let ids):
                promptIDs.append(options.truncation?.cut(ids) ?? ids)
                if options.echoesPrompt, let tokenizer = text?.tokenizer {
                    try memory?.chargeKept(tokenizer.textBytes(of: ids))
                    texts.append(tokenizer.decode(ids, skipSpecialTokens: options.skipsSpecialTokens))
                } else if options.echoesPrompt {
                    texts.append("")
                }
            case .text(let string):
                guard let text else {
                    throw .textUnavailable(param: parameter, message: "This model has no tokenizer.")
                }
                let param = prompts.count == 1 ? parameter : "\(parameter)[\(index)]"
                promptIDs.append(
                    try memory.whileEncoding(string.utf8.count) { () throws(APIError) in
                        try text.encode([TextRun(text: string, isTrusted: true)], options, param: param, for: model)
                    })
                if options.echoesPrompt {
                    try memory?.chargeKept(string.utf8.count)
                    texts.append(string)
                }
            }
            try charge(promptOf: promptIDs.last?.count ?? 0)
        }
        return try prepared(options, formatter, promptIDs, texts)
    }

    private func prepareChat(
        _ translation: ChatTranslation, _ timeoutKnown: (Duration) -> Void
    ) throws(APIError) -> Prepared {
        let request = try ChatCompletionRequest(translation, for: model)
        request.options.timeout.map(timeoutKnown)
        try memory?.chargeKept(translation.formatter.memoryBytes)
        return try prepareChat(request, translation.formatter)
    }

    /// Charges what is kept of a prompt of `tokens` tokens: its ids by the reply and by the engine, whose choices share theirs.
    private func charge(promptOf tokens: Int) throws(APIError) {
        try memory?.chargeKept(tokens * 2 * MemoryLayout<Int32>.stride + RequestMemory.header)
    }

    private func prepareChat(
        _ request: ChatCompletionRequest, _ formatter: any ResponseFormatter
    ) throws(APIError) -> Prepared {
        guard let text else {
            throw .textUnavailable(param: "messages", message: "This model has no tokenizer.")
        }
        let prompt = try text.render(request)
        let ids = try memory.whileEncoding(prompt.reduce(0) { $0 + $1.text.utf8.count }) { () throws(APIError) in
            try text.encode(request, prompt, for: model)
        }
        try charge(promptOf: ids.count)
        try memory?.chargeKept(request.tools.reduce(0) { $0 + $1.memoryBytes })
        var parsing = OutputParserConfiguration(request, prompt: prompt.map(\.text).joined(), text)
        var options = request.options
        let reasoning = text.reasoningTracker(isOpen: parsing?.parser.isReasoning ?? false)
        if let limit = options.thinkingTokens, options.requiresThinkingBound || reasoning != nil {
            guard let reasoning else {
                throw .invalid(
                    param: "thinking_token_budget",
                    message: "'thinking_token_budget' needs a model whose reasoning stands between two tokens.")
            }
            options.thinking = ThinkingBudget(reasoning, limit: limit)
        }
        if let parsing { options.keptSpecialTokens = parsing.tags }
        options.grammar = try grammar(of: request, parsing?.parser, reasoning, text)
        if let grammar = options.grammar, let source = options.structuredOutput?.source,
            grammar.hasLayout || !source.mayBeFreeText
        {
            parsing?.parser.bindContent(hasLayout: grammar.hasLayout)
        }
        if let end = parsing?.callEnd { options.stop.tokenIDs.insert(end) }
        var prepared = try prepared(options, formatter, [ids], [])
        prepared.parsing = parsing
        prepared.ignored = request.ignored
        return prepared
    }

    /// What the answer to a chat has to be like: behind its reasoning.
    private func grammar(
        of request: ChatCompletionRequest, _ parser: ChatOutputParser?, _ reasoning: ReasoningTracker?,
        _ text: TextPipeline
    ) throws(APIError) -> GrammarMatcher? {
        var scope = GrammarMatcher.Scope.reply
        if let reasoning, let parser, parser.mayReason { scope = .answer(behind: reasoning) }
        if var structuredOutput = request.options.structuredOutput {
            if structuredOutput.allowsCalls, !request.callableTools.isEmpty,
                let syntax = text.outputSyntax.calls?.grammarSyntax
            {
                let calls = GrammarSource.calls(
                    request.callableTools.map(\.nameUnlessStrict), syntax, isSingle: !request.callsInParallel,
                    isOpen: false)
                structuredOutput.source = .either(structuredOutput.source, calls)
            }
            let grammar = try structuredOutput.compile(text.grammars, beginsWithSpace: reasoning != nil, tenant: tenant)
            return GrammarMatcher(grammar, scope: scope)
        }
        let isStrict = request.tools.contains { $0["function"]?["strict"] == true }
        // Tools that may not be called are kept from the model, which sees them all.
        let isNarrowed = request.toolSet.allowed != nil && !request.callableTools.isEmpty
        guard request.mustCall || isStrict || isNarrowed else { return nil }
        let param = request.mustCall ? "tool_choice" : "tools"
        guard let syntax = text.outputSyntax.calls?.grammarSyntax else {
            throw .invalid(param: param, message: "'\(param)' needs a model that calls tools in a known format.")
        }
        var source = GrammarSource.calls(
            request.callableTools, syntax, isSingle: !request.callsInParallel || request.namedTool != nil, isOpen: false
        )
        if !request.mustCall {
            // The model is free to call; what it calls is as its schema says, where that is to be strict.
            guard let opening = text.tokenizer.id(of: "<tool_call>") else { throw .unsupported(param: "tools") }
            source = .calls(
                request.callableTools.map(\.withoutSchemaUnlessStrict), syntax, isSingle: true, isOpen: true)
            scope = .behind(opening)
        }
        let structuredOutput = StructuredOutput(source: source, param: "tools")
        return GrammarMatcher(
            try structuredOutput.compile(
                text.grammars, beginsWithSpace: request.mustCall && reasoning != nil, tenant: tenant),
            scope: scope)
    }

    private func prepared(
        _ options: GenerationOptions, _ formatter: any ResponseFormatter, _ promptIDs: [[Int32]], _ texts: [String]
    ) throws(APIError) -> Prepared {
        var options = options
        if endpoint == .completions, let structuredOutput = options.structuredOutput, let text {
            options.grammar = GrammarMatcher(
                try structuredOutput.compile(text.grammars, beginsWithSpace: false, tenant: tenant))
        }
        if let tokenizer = text?.tokenizer { try options.sampling.forbid(options.badWords, tokenizer: tokenizer) }
        if let source = options.structuredOutput?.source {
            try memory?.chargeKept(source.memoryBytes)
            // It outlives the body, which is given back.
            options.structuredOutput?.source = source.detached
        }
        return Prepared(
            options: options, promptIDs: promptIDs, formatter: formatter, promptTexts: texts, charge: memory?.kept)
    }
}

extension RequestPreparation.Prepared {
    fileprivate func ignoring(_ ignored: IgnoredParameters) -> Self {
        var copy = self
        copy.ignored = ignored
        return copy
    }
}

extension SamplingParameters {
    /// Keeps `words` from being generated, at the beginning of a text or behind a space.
    ///
    /// - Throws: `APIError` when no token is left that may be drawn.
    fileprivate mutating func forbid(_ words: [String], tokenizer: Tokenizer) throws(APIError) {
        var known = Set(badWords)
        for word in words {
            if Cancellation.isRequested { throw .aborted }
            for text in [word, " " + word] {
                let ids = tokenizer.encode(text, addSpecialTokens: false, specialTokensAsText: false)
                // The space may be a token of its own: then the word behind it is the word itself.
                if !ids.isEmpty, known.insert(ids).inserted { badWords.append(ids) }
            }
        }
        guard let allowed = allowedTokenIDs else { return }
        guard allowed.contains(where: { id in !badWords.contains([id]) }) else {
            throw .invalid(param: "bad_words", message: "'bad_words' forbids all of 'allowed_token_ids'.")
        }
    }
}

extension ChatOutputSyntax.Calls {
    /// How grammars name this way to write calls.
    fileprivate var grammarSyntax: GrammarSource.CallSyntax {
        switch self {
        case .json: .json
        case .xml: .xml
        }
    }
}
