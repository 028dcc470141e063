import Scheduling
import Tokenizers

/// The state of one sequence on the engine thread: its tokens, its text, and its stop conditions. It decides all finish reasons
/// that follow from its tokens. ``EngineThread`` sets those of aborts, deadlines and errors.
struct GeneratingSequence {
    let request: GenerationRequest
    /// The prompt ids and generated ids. A preempted sequence is recomputed from them.
    private(set) var tokens: SequenceTokens
    /// The token counts for penalties and bad words, or empty if they are not used.
    private(set) var counts: TokenCounts
    /// The number of times the sequence was preempted.
    var preemptions = 0
    /// The number of prompt tokens after the first whose log-probabilities have been reported.
    var promptLogprobs = 0
    /// The partial mean of the prompt's hidden states, if requested.
    var hiddenStates: HiddenStateMean?
    /// The matchers of its grammar at the next token and after each of its draft tokens.
    private(set) var grammar: GrammarChain?
    /// The remaining thinking budget.
    private(set) var thinking: ThinkingBudget?
    /// The draft tokens of the current step.
    private(set) var drafts: [Int32] = []
    /// The number of draft tokens to propose, which adapts to the number of accepted ones.
    private var draftLength = 4
    private let endOfSequenceIDs: [Int32]
    /// The ids that cannot be sampled before the minimum number of tokens is reached.
    let stopIDs: [Int32]
    private var detokenizer: IncrementalDetokenizer?
    private var stopMatcher: StopMatcher?

    /// - Parameter counts: The token counts before the first generated token.
    init(_ request: GenerationRequest, counts: TokenCounts, tokenizer: Tokenizer?, endOfSequenceIDs: [Int32]) {
        self.request = request
        self.endOfSequenceIDs = endOfSequenceIDs
        stopIDs = request.stop.tokenIDs.sorted() + (request.stop.ignoresEndOfSequence ? [] : endOfSequenceIDs)
        tokens = SequenceTokens(prompt: request.promptIDs)
        grammar = request.maxTokens > 0 ? request.grammar.map { GrammarChain($0) } : nil
        thinking = request.thinking
        hiddenStates = request.embedsPrompt ? HiddenStateMean() : nil
        self.counts = counts
        if let tokenizer, request.detokenizes {
            detokenizer = IncrementalDetokenizer(
                tokenizer: tokenizer, skipSpecialTokens: request.skipsSpecialTokens, keeping: request.keptSpecialTokens)
        }
        if !request.stop.strings.isEmpty { stopMatcher = StopMatcher(stops: request.stop.strings) }
    }

    var generatedTokens: Int { tokens.generated.count }

    /// Whether the grammar is still computing which tokens may follow, or whether the sequence must end.
    var isPending: Bool { grammar?.isPending ?? false }

    /// Whether the sequence has all its tokens. While it is pending, only its finish reason is open.
    var hasAllTokens: Bool { generatedTokens >= request.maxTokens }

    /// Applies the computed steps of its grammar. Returns the released text and, if the sequence ended, the finish reason.
    mutating func resolve(_ chain: GrammarChain) -> (text: String, finish: FinishReason?) {
        let wasPending = isPending
        grammar = chain
        guard wasPending, !isPending else { return ("", nil) }
        // A sequence with all its tokens needs no further step, so a bound that the next step would exceed is ignored.
        if !hasAllTokens, let limit = grammar?.known.first?.limit {
            return ("", .grammarLimit(String(describing: limit)))
        }
        let isComplete = generatedTokens > 0 && grammar?.known.first?.mustEnd == true
        guard isComplete || hasAllTokens else { return ("", nil) }
        var released: [UInt8] = []
        return end(&released, isComplete ? .stop(.endOfSequence) : .length)
    }

    /// Sets the draft tokens that the current step verifies. Returns whether some of its masks are unknown.
    mutating func verify(drafts count: Int) -> Bool {
        grammar?.restart(drafts: Array(drafts.prefix(count)))
        return grammar?.isIncomplete ?? false
    }

    /// Appends a sampled token. Returns the released text and, if the sequence ended, the finish reason.
    ///
    /// If the grammar is pending after the token, it may end the sequence later: see ``resolve(_:)``.
    mutating func append(_ id: Int32) -> (text: String, finish: FinishReason?) {
        tokens.append(id)
        if request.sampling.needsCounts { counts.append(id) }
        thinking?.append(id)
        grammar?.append(id)
        // If no token can follow, the sequence ends as if the model had generated an end-of-sequence id.
        let stop = stopReason(of: id)
        let matcher = grammar?.known.first
        let isComplete = stop == nil && matcher?.mustEnd == true
        var released: [UInt8] = []
        if stop == nil || request.stop.keepsStopText {
            if let match = release(detokenizer?.append(id) ?? [], to: &released) { return end(released, match) }
        }
        if stop == nil, !isComplete, isPending || !hasAllTokens {
            guard !hasAllTokens, let limit = matcher?.limit else { return (text(released), nil) }
            return (text(released), .grammarLimit(String(describing: limit)))
        }
        return end(&released, stop.map { .stop($0) } ?? (isComplete ? .stop(.endOfSequence) : .length))
    }

    /// Ends the sequence. Text that was held back is released, and may still complete a stop string.
    private mutating func end(
        _ released: inout [UInt8], _ finish: FinishReason
    ) -> (text: String, finish: FinishReason?) {
        if let match = release(detokenizer?.flush() ?? [], to: &released) { return end(released, match) }
        released += stopMatcher?.flush() ?? []
        return (text(released), finish)
    }

    /// Proposes at most `limit` draft tokens and returns their number. Tokens that can no longer be sampled are not proposed.
    mutating func propose(limit: Int) -> Int {
        let wanted = min(draftLength, limit, request.maxTokens - generatedTokens - 1)
        drafts =
            request.speculates && generatedTokens > 0 && !isPending
            ? NGramDrafter.drafts(after: tokens.suffix(NGramDrafter.reach), count: wanted) : []
        return drafts.count
    }

    /// Adapts the length of the next proposal to the number of accepted draft tokens out of `count`: it is doubled if all were
    /// accepted, and halved if fewer than half were.
    mutating func learn(accepted: Int, of count: Int) {
        guard count > 0 else { return }
        if accepted == count { draftLength = min(draftLength * 2, 64) }
        if accepted * 2 < count { draftLength = max(draftLength / 2, 1) }
    }

    private func stopReason(of id: Int32) -> StopReason? {
        if request.stop.tokenIDs.contains(id) { return .token(id) }
        return !request.stop.ignoresEndOfSequence && endOfSequenceIDs.contains(id) ? .endOfSequence : nil
    }

    /// Passes `bytes` through the stop matcher. Returns the stop string that they complete, if any.
    private mutating func release(_ bytes: [UInt8], to released: inout [UInt8]) -> String? {
        // The text of the minimum number of tokens cannot stop the sequence.
        guard stopMatcher != nil, generatedTokens > request.sampling.minTokens else {
            released += bytes
            return nil
        }
        guard let output = stopMatcher?.append(bytes) else { return nil }
        released += output.text
        return output.match?.stop
    }

    private func end(_ released: [UInt8], _ match: String) -> (text: String, finish: FinishReason?) {
        (text(released) + (request.stop.keepsStopText ? match : ""), .stop(.string(match)))
    }

    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
