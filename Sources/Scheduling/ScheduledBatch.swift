/// The work of one step: what the model computes, and who came and went.
public struct ScheduledBatch: Sendable, Equatable {
    /// A sequence appears once at most: the decodes first, with the first prefill in line among them by rank, then the
    /// other prefills.
    public var sequences: [ScheduledSequence] = []
    /// Sequences that run for the first time; one that comes back after a preemption is not among them.
    public var admitted: [AdmittedSequence] = []
    /// Sequences that lost their blocks and wait again; none of them is in `sequences`.
    public var preempted: [SequenceID] = []
    /// Sequences whose deadline has passed, and which have ended thereby.
    public var expired: [SequenceID] = []
    /// What the time of the step depends on.
    public var work = StepWork()

    public init() {}

    /// Tokens that the step computes.
    public var tokenCount: Int { sequences.reduce(0) { $0 + $1.tokens.count } }
}

/// One sequence's part of a step.
public struct ScheduledSequence: Sendable, Equatable {
    public var id: SequenceID
    /// Absolute positions to compute, at least one; the tokens before them are in the cache.
    public var tokens: Range<Int>
    /// Whether `tokens` reaches the end of the sequence: the logits of its last row give the next token.
    public var samples: Bool
    /// How many of `tokens`, the last ones, lie behind the end: draft tokens, which the logits of the rows before them
    /// verify.
    public var drafts: Int

    public init(id: SequenceID, tokens: Range<Int>, samples: Bool, drafts: Int = 0) {
        self.id = id
        self.tokens = tokens
        self.samples = samples
        self.drafts = drafts
    }
}

/// A sequence that runs for the first time.
public struct AdmittedSequence: Sendable, Equatable {
    public var id: SequenceID
    /// Prompt tokens that need not be computed: their keys and values are in the cache.
    public var cachedTokens: Int
    /// Why these are not more; `nil`: there were none, or they are all that can be.
    public var missReason: PrefixMissReason?

    public init(id: SequenceID, cachedTokens: Int, missReason: PrefixMissReason? = nil) {
        self.id = id
        self.cachedTokens = cachedTokens
        self.missReason = missReason
    }
}
