/// The work of one step: what the model computes, and which sequences started and ended.
public struct ScheduledBatch: Sendable, Equatable {
    /// A sequence occurs at most once. Decodes are first, including the first prefill in line, in order of rank; then the other
    /// prefills follow.
    public var sequences: [ScheduledSequence] = []
    /// Sequences that run for the first time, not those that continue after a preemption.
    public var admitted: [AdmittedSequence] = []
    /// Sequences whose blocks were freed and that wait again; none of them is in `sequences`.
    public var preempted: [SequenceID] = []
    /// Sequences that ended because their deadline has passed.
    public var expired: [SequenceID] = []
    /// The quantities that determine the time of the step.
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
    /// How many of `tokens`, at their end, are draft tokens, which the logits of the rows before them verify.
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
    /// Prompt tokens that are in the cache and need not be computed.
    public var cachedTokens: Int
    /// Why there are not more; `nil`: there were none, or the hit has the maximum length.
    public var missReason: PrefixMissReason?

    public init(id: SequenceID, cachedTokens: Int, missReason: PrefixMissReason? = nil) {
        self.id = id
        self.cachedTokens = cachedTokens
        self.missReason = missReason
    }
}
