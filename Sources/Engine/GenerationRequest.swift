import Grammars
import Scheduling

/// One sequence to generate: one choice of one prompt of one request.
public struct GenerationRequest: Sendable {
    public var id: SequenceID
    /// At least one id, each below the vocabulary size; with `maxTokens` it must fit the model's maximum length. A sequence
    /// that violates this ends with an error.
    public var promptIDs: [Int32]
    public var sampling: SamplingParameters
    public var stop: StopConditions
    /// 0: the prompt is computed and nothing is generated.
    public var maxTokens: Int
    /// Sequences with different salts do not share cached prefixes.
    public var cacheSalt: [UInt8] = []
    /// Lower is earlier.
    public var priority = 0
    /// The tenant to which it is accounted: within a priority, tenants get equal shares.
    public var tenant = ""
    /// The time at which it is aborted if it has not finished; if it has not started by then, it never does.
    public var deadline: ContinuousClock.Instant?
    /// The number of alternatives to report in addition to the sampled token; `nil`: no log-probabilities.
    public var logprobs: Int?
    /// The same for the prompt's tokens, from the second one. Such a sequence does not use the prefix cache, because it needs
    /// the logits of its whole prompt.
    public var promptLogprobs: Int?
    /// Whether the mean of the prompt's final hidden states is requested, with `maxTokens` 0. Such a sequence does not use the
    /// prefix cache either, because it has no hidden states.
    public var embedsPrompt = false
    /// The constraint on its text; `nil`: none.
    public var grammar: GrammarMatcher?
    /// The limit of its reasoning; `nil`: none.
    public var thinking: ThinkingBudget?
    /// Whether events report the progress of its prompt.
    public var reportsProgress = false
    /// Whether to use speculative decoding, which only changes when tokens arrive.
    public var speculates = true
    /// Whether tokens are turned into text; off for models without a tokenizer.
    public var detokenizes = true
    /// Whether special tokens are left out of the text.
    public var skipsSpecialTokens = true
    /// Special tokens that are kept in the text: the tags that separate the parts of a reply.
    public var keptSpecialTokens: Set<Int32> = []

    public init(
        id: SequenceID, promptIDs: [Int32], sampling: SamplingParameters, stop: StopConditions, maxTokens: Int,
        logprobs: Int? = nil
    ) {
        self.id = id
        self.promptIDs = promptIDs
        self.sampling = sampling
        self.stop = stop
        self.maxTokens = maxTokens
        self.logprobs = logprobs
    }
}

/// Conditions that end a sequence before its token limit.
public struct StopConditions: Sendable, Hashable {
    /// Text that ends the sequence, matched across tokens.
    public var strings: [String] = []
    /// Ids that end the sequence, in addition to the model's end-of-sequence ids.
    public var tokenIDs: Set<Int32> = []
    /// Whether the model's end-of-sequence ids are ordinary tokens.
    public var ignoresEndOfSequence = false
    /// Whether a matched stop string, or the text of a stop id, stays in the text.
    public var keepsStopText = false

    public init() {}
}
