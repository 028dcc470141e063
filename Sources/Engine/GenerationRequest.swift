import Grammars
import Scheduling

/// A request for one sequence: one choice of one prompt of a client's request.
public struct GenerationRequest: Sendable {
    public var id: SequenceID
    /// The token ids of the prompt: at least one, each less than the vocabulary size. Together with `maxTokens`, the prompt must
    /// fit the model's maximum length. A sequence that violates this ends with an error.
    public var promptIDs: [Int32]
    public var sampling: SamplingParameters
    public var stop: StopConditions
    /// The maximum number of tokens to generate. With 0, the prompt is computed and nothing is generated.
    public var maxTokens: Int
    /// The salt of the prefix cache. Sequences with different salts do not share cached prefixes.
    public var cacheSalt: [UInt8] = []
    /// The priority. Lower values run first.
    public var priority = 0
    /// The tenant to which the sequence is accounted. Within a priority, tenants get equal shares.
    public var tenant = ""
    /// The time at which the sequence is aborted if it has not finished, whether or not it has started.
    public var deadline: ContinuousClock.Instant?
    /// The number of alternatives to report in addition to the sampled token, or `nil` for no log-probabilities.
    public var logprobs: Int?
    /// The number of alternatives to report for the prompt's tokens, starting with the second token, or `nil` for no
    /// log-probabilities. Such a sequence does not use the prefix cache, because it needs the logits of its whole prompt.
    public var promptLogprobs: Int?
    /// Whether to return the mean of the prompt's final hidden states. Requires `maxTokens` 0. Such a sequence does not use the
    /// prefix cache either, because the cache holds no hidden states.
    public var embedsPrompt = false
    /// The grammar that constrains the text, or `nil` for none.
    public var grammar: GrammarMatcher?
    /// The limit of the reasoning, or `nil` for none.
    public var thinking: ThinkingBudget?
    /// Whether events report the progress of the prompt.
    public var reportsProgress = false
    /// Whether to use speculative decoding, which affects only the times at which tokens arrive.
    public var speculates = true
    /// Whether tokens are decoded into text. Off for models without a tokenizer.
    public var detokenizes = true
    /// Whether special tokens are omitted from the text.
    public var skipsSpecialTokens = true
    /// The special tokens that are kept in the text: the tags that separate the parts of a reply.
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

/// The conditions that end a sequence before its token limit.
public struct StopConditions: Sendable, Hashable {
    /// The strings that end the sequence. They are also matched across tokens.
    public var strings: [String] = []
    /// The token ids that end the sequence, in addition to the model's end-of-sequence ids.
    public var tokenIDs: Set<Int32> = []
    /// Whether the model's end-of-sequence ids are treated as ordinary tokens.
    public var ignoresEndOfSequence = false
    /// Whether a matched stop string, or the text of a stop id, stays in the text.
    public var keepsStopText = false

    public init() {}
}
