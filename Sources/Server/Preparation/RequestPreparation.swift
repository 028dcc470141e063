import Basics
import ChatTemplates
import Engine
import Grammars
import HTTP
import JSON
import Tokenizers

/// Converts a request's body to prompts of token ids. Pure. This is the expensive part of a request before the engine, so it
/// runs off the event loop and checks `Cancellation`.
struct RequestPreparation: Sendable {
    /// The result: the input for the engine and for the reply.
    struct Prepared: Sendable {
        /// The name of the model in the request.
        var modelName = ""
        var options: GenerationOptions
        /// The token ids, (prompts, tokens).
        var promptIDs: [[Int32]]
        /// How the response is written.
        var formatter: any ResponseFormatter
        /// The configuration of the output parser of a chat; `nil`: the output is all content.
        var parsing: OutputParserConfiguration?
        /// The prompts that the choices' texts begin with; empty unless the request asks for them.
        var promptTexts: [String] = []
        /// The ignored parameters of the request.
        var ignored = IgnoredParameters()
        /// The charge of all of this, as long as any of it is kept; `nil`: memory is not accounted.
        var charge: MemoryBudget.Reservation?
    }

    let endpoint: Endpoint
    let model: ServedModel
    let text: TextPipeline?
    /// The tenant whose compiled grammars it may use.
    var tenant = ""
    /// The account of the request's prompts; `nil`: memory is not accounted.
    var memory: RequestMemory?

    /// - Parameters:
    ///   - body: the decoded body.
    ///   - timeoutKnown: called with the request's `timeout` as soon as it is known, if it has one.
    /// - Throws: the `APIError` for the client.
    func prepare(
        _ body: [UInt8], timeoutKnown: (Duration) -> Void = { _ in }
    ) throws(APIError) -> Prepared {
        let json = try JSONValue(requestBody: body)
        if endpoint.isChat { try memory?.chargeConversation() }
        return try prepare(json, timeoutKnown: timeoutKnown)
    }

    /// Converts a parsed body.
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
            return try prepareChat(request, ChatFormatter(tools: request.toolSet))
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
        var repeated = RepeatedPrompts(options)
        for (index, prompt) in prompts.enumerated() {
            if Cancellation.isRequested { throw .aborted }
            switch prompt {
            case .ids(let ids):
                promptIDs.append(options.truncated(ids, for: model))
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
            let tokens = promptIDs.last?.count ?? 0
            try charge(promptOf: tokens)
            try repeated.add(tokens: tokens, bytes: texts.last?.utf8.count ?? 0)
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

    /// Charges the memory of a prompt of `tokens` tokens: its ids in the reply and in the engine, whose choices share theirs.
    private func charge(promptOf tokens: Int) throws(APIError) {
        try memory?.chargeKept(tokens * 2 * MemoryLayout<Int32>.stride + RequestMemory.header)
    }

    private func prepareChat(
        _ request: ChatCompletionRequest, _ formatter: any ResponseFormatter
    ) throws(APIError) -> Prepared {
        guard let text else {
            throw .textUnavailable(param: "messages", message: "This model has no tokenizer.")
        }
        let request = try text.adapted(request, for: model)
        let prompt = try text.render(request)
        let ids = try memory.whileEncoding(prompt.reduce(0) { $0 + $1.text.utf8.count }) { () throws(APIError) in
            try text.encode(request, prompt, for: model)
        }
        try charge(promptOf: ids.count)
        var repeated = RepeatedPrompts(request.options)
        try repeated.add(tokens: ids.count, bytes: 0)
        try memory?.chargeKept(request.tools.reduce(0) { $0 + $1.memoryBytes })
        var parsing = OutputParserConfiguration(request, prompt: prompt.map(\.text).joined(), text)
        var options = request.options
        let reasoning = text.reasoningTracker(isOpen: parsing?.parser.isReasoning ?? false)
        if let limit = options.thinkingTokens, options.requiresThinkingBound || reasoning != nil {
            guard let reasoning else {
                throw .invalid(
                    param: "thinking_token_budget",
                    message: "'thinking_token_budget' requires a model whose reasoning is enclosed by two tokens.")
            }
            options.thinking = ThinkingBudget(reasoning, limit: limit)
        }
        if let parsing { options.keptSpecialTokens = parsing.tags }
        options.grammar = try grammar(of: request, &parsing, reasoning, text)
        if let end = parsing?.callEnd { options.stop.tokenIDs.insert(end) }
        var prepared = try prepared(options, formatter, [ids], [])
        prepared.parsing = parsing
        prepared.ignored = request.ignored
        return prepared
    }

    /// Returns the constraint on the answer of a chat, which applies after its reasoning.
    private func grammar(
        of request: ChatCompletionRequest, _ parsing: inout OutputParserConfiguration?, _ reasoning: ReasoningTracker?,
        _ text: TextPipeline
    ) throws(APIError) -> GrammarMatcher? {
        var scope = GrammarMatcher.Scope.reply
        if let reasoning, let parser = parsing?.parser {
            scope = parser.mayReason ? .answer(behind: reasoning) : .replyBehindReasoning
        }
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
            // The answer must match the grammar to the byte.
            if (try? grammar.mayBeginWithSpace()) == true { parsing?.parser.keepsSpaceBehindReasoning() }
            return GrammarMatcher(grammar, scope: scope)
        }
        let isStrict = request.tools.contains { $0["function"]?["strict"] == true }
        // The model sees all tools, so calls are restricted to the allowed ones by a grammar.
        let isNarrowed = request.toolSet.allowed != nil && !request.callableTools.isEmpty
        guard request.mustCall || isStrict || isNarrowed else { return nil }
        let param = request.toolSet.parameter
        guard let syntax = text.outputSyntax.calls?.grammarSyntax else {
            throw .invalid(param: param, message: "'\(param)' requires a model with a known format of tool calls.")
        }
        var source = GrammarSource.calls(
            request.callableTools, syntax, isSingle: !request.callsInParallel || request.namedTool != nil, isOpen: false
        )
        if !request.mustCall {
            // The model may decide to call; a call of a strict tool must follow its schema.
            guard let opening = text.tokenizer.id(of: "<tool_call>") else { throw .unsupported(param: param) }
            source = .calls(
                request.callableTools.map(\.withoutSchemaUnlessStrict), syntax, isSingle: true, isOpen: true)
            scope = .behind(opening)
        }
        let structuredOutput = StructuredOutput(
            source: source, param: request.toolSet.areFunctions ? "functions" : "tools")
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
            // The source outlives the body, which is released.
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
    /// Excludes `words` at the beginning of a text and after a space.
    ///
    /// - Throws: `APIError` if no token is left.
    fileprivate mutating func forbid(_ words: [String], tokenizer: Tokenizer) throws(APIError) {
        var known = Set(badWords)
        for word in words {
            if Cancellation.isRequested { throw .aborted }
            for text in [word, " " + word] {
                let ids = tokenizer.encode(text, addSpecialTokens: false, specialTokensAsText: false)
                // If the space is a separate token, the word after it has the same ids as the word alone.
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
    /// The corresponding syntax of grammars.
    fileprivate var grammarSyntax: GrammarSource.CallSyntax {
        switch self {
        case .json: .json
        case .xml: .xml
        }
    }
}
