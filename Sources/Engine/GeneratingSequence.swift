import Scheduling
import Tokenizers

/// One sequence's state on the engine thread: its tokens, its text, and when it stops. The only place that decides a
/// finish reason other than abort.
struct GeneratingSequence {
    let request: GenerationRequest
    /// Prompt and generated ids. A preempted sequence is computed again from these.
    private(set) var tokens: SequenceTokens
    /// For penalties and bad words; empty without them.
    private(set) var counts: TokenCounts
    /// How often it had to give its blocks back.
    var preemptions = 0
    /// Prompt tokens after the first whose log-probabilities have been told.
    var promptLogprobs = 0
    /// Where the prompt's hidden states are wanted, what there is of their mean.
    var hiddenStates: HiddenStateMean?
    /// Where in its grammar its text has come to, and would come to with its drafts.
    private(set) var grammar: GrammarChain?
    /// What is left of the time to reason.
    private(set) var thinking: ThinkingBudget?
    /// Draft tokens of the current step.
    private(set) var drafts: [Int32] = []
    /// How many draft tokens to propose; adapted to how many were accepted.
    private var draftLength = 4
    private let endOfSequenceIDs: [Int32]
    private var detokenizer: IncrementalDetokenizer?
    private var stopMatcher: StopMatcher?

    /// - Parameter counts: before the first generated token.
    init(_ request: GenerationRequest, counts: TokenCounts, tokenizer: Tokenizer?, endOfSequenceIDs: [Int32]) {
        self.request = request
        self.endOfSequenceIDs = endOfSequenceIDs
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

    /// Ids that cannot be drawn before the minimum of tokens is reached.
    var stopIDs: [Int32] {
        Array(request.stop.tokenIDs) + (request.stop.ignoresEndOfSequence ? [] : endOfSequenceIDs)
    }

    /// Whether it is not known yet what its grammar lets come next, or whether it ends.
    var isPending: Bool { grammar?.isPending ?? false }

    /// Whether it has all its tokens: while it is pending, only why it ends is open.
    var hasAllTokens: Bool { generatedTokens >= request.maxTokens }

    /// Takes what was worked out of its grammar; returns the text that this released and, where it ended the sequence, why.
    mutating func resolve(_ chain: GrammarChain) -> (text: String, finish: FinishReason?) {
        let wasPending = isPending
        grammar = chain
        guard wasPending, !isPending else { return ("", nil) }
        // With all its tokens it needs no other, so a bound that the next one would exceed is none of its concern.
        if !hasAllTokens, let limit = grammar?.known.first?.limit {
            return ("", .grammarLimit(String(describing: limit)))
        }
        let isComplete = generatedTokens > 0 && grammar?.known.first?.mustEnd == true
        guard isComplete || hasAllTokens else { return ("", nil) }
        var released: [UInt8] = []
        return end(&released, isComplete ? .stop(.endOfSequence) : .length)
    }

    /// Sets the draft tokens that the current step verifies; returns whether its masks are not all known.
    mutating func verify(drafts count: Int) -> Bool {
        grammar?.restart(drafts: Array(drafts.prefix(count)))
        return grammar?.isIncomplete ?? false
    }

    /// Takes a sampled token; returns the text that it released and, where it ended the sequence, why.
    ///
    /// Where the grammar is pending behind it, that may end the sequence too: see ``resolve(_:)``.
    mutating func append(_ id: Int32) -> (text: String, finish: FinishReason?) {
        tokens.append(id)
        if request.sampling.needsCounts { counts.append(id) }
        thinking?.append(id)
        grammar?.append(id)
        // Where nothing can follow, it ends like a model that has said all.
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

    /// The end: nothing is held back any longer, and what was held back may still complete a stop string.
    private mutating func end(
        _ released: inout [UInt8], _ finish: FinishReason
    ) -> (text: String, finish: FinishReason?) {
        if let match = release(detokenizer?.flush() ?? [], to: &released) { return end(released, match) }
        released += stopMatcher?.flush() ?? []
        return (text(released), finish)
    }

    /// Proposes draft tokens, at most `limit`; returns how many. None is proposed that cannot be sampled any more.
    mutating func propose(limit: Int) -> Int {
        let wanted = min(draftLength, limit, request.maxTokens - generatedTokens - 1)
        drafts =
            request.speculates && generatedTokens > 0 && !isPending
            ? NGramDrafter.drafts(after: tokens.suffix(NGramDrafter.reach), count: wanted) : []
        return drafts.count
    }

    /// Learns how many of `count` draft tokens were accepted: the next are twice as many, or half.
    mutating func learn(accepted: Int, of count: Int) {
        guard count > 0 else { return }
        if accepted == count { draftLength = min(draftLength * 2, 64) }
        if accepted * 2 < count { draftLength = max(draftLength / 2, 1) }
    }

    private func stopReason(of id: Int32) -> StopReason? {
        if request.stop.tokenIDs.contains(id) { return .token(id) }
        return !request.stop.ignoresEndOfSequence && endOfSequenceIDs.contains(id) ? .endOfSequence : nil
    }

    /// Passes `bytes` through the stop matcher; returns the stop string that they completed.
    private mutating func release(_ bytes: [UInt8], to released: inout [UInt8]) -> String? {
        // Text of the tokens that must come anyway cannot stop the sequence.
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
