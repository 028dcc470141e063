import Grammars
import Scheduling

/// One sequence to generate: one choice of one prompt of one request.
public struct GenerationRequest: Sendable {
    public var id: SequenceID
    /// At least one id, each below the vocabulary size; with `maxTokens` it fits the model's length. A sequence that
    /// breaks this ends with an error.
    public var promptIDs: [Int32]
    public var sampling: SamplingParameters
    public var stop: StopConditions
    /// 0: the prompt is computed and nothing is generated.
    public var maxTokens: Int
    /// Sequences of different salts share no cached prefix.
    public var cacheSalt: [UInt8] = []
    /// Lower is earlier.
    public var priority = 0
    /// On whose account it runs: within a priority, tenants get equal shares.
    public var tenant = ""
    /// When it is aborted if it has not ended by itself; if that is before its first step it never starts.
    public var deadline: ContinuousClock.Instant?
    /// How many alternatives to report beside the sampled token; `nil`: no log-probabilities at all.
    public var logprobs: Int?
    /// The same for the prompt's tokens, from the second on. Such a sequence takes nothing from the prefix cache: it needs
    /// the logits of all its prompt.
    public var promptLogprobs: Int?
    /// Whether the mean of the prompt's final hidden states is wanted, with `maxTokens` 0. Such a sequence takes nothing from the
    /// prefix cache either, which has no hidden states.
    public var embedsPrompt = false
    /// What its text has to be like; `nil`: anything.
    public var grammar: GrammarMatcher?
    /// How long it may reason; `nil`: as long as it likes.
    public var thinking: ThinkingBudget?
    /// Whether events tell how far its prompt is computed.
    public var reportsProgress = false
    /// Whether to use speculative decoding, which changes nothing but how soon tokens come.
    public var speculates = true
    /// Whether tokens are turned into text; off for models without a tokenizer.
    public var detokenizes = true
    /// Whether special tokens are left out of the text.
    public var skipsSpecialTokens = true
    /// Special tokens that are text all the same: the tags by which the parts of a reply are told apart.
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

/// What ends a sequence before its token limit.
public struct StopConditions: Sendable, Hashable {
    /// Text that ends the sequence, matched across tokens.
    public var strings: [String] = []
    /// Ids that end the sequence, beside the model's end-of-sequence ids.
    public var tokenIDs: Set<Int32> = []
    /// Whether the model's end-of-sequence ids are ordinary tokens.
    public var ignoresEndOfSequence = false
    /// Whether a matched stop string, or the text of a stop id, stays in the text.
    public var keepsStopText = false

    public init() {}
}
