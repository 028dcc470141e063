/// The work of one step: what the model computes, and which sequences start and end.
public struct ScheduledBatch: Sendable, Equatable {
    /// The parts of the step, at most one per sequence. Decodes come first in order of rank, together with the first prefill in
    /// line. The other prefills follow.
    public var sequences: [ScheduledSequence] = []
    /// The sequences that run for the first time. Sequences that resume after a preemption are not included.
    public var admitted: [AdmittedSequence] = []
    /// The sequences whose blocks were freed and that wait again. None of them is in `sequences`.
    public var preempted: [SequenceID] = []
    /// The sequences that ended because their deadline has passed.
    public var expired: [SequenceID] = []
    /// The quantities that determine the time of the step.
    public var work = StepWork()

    public init() {}

    /// The number of tokens that the step computes.
    public var tokenCount: Int { sequences.reduce(0) { $0 + $1.tokens.count } }
}

/// One sequence's part of a step.
public struct ScheduledSequence: Sendable, Equatable {
    public var id: SequenceID
    /// The absolute positions to compute, at least one. The tokens before them are in the cache.
    public var tokens: Range<Int>
    /// Whether `tokens` reaches the end of the sequence, so that the next token is sampled from the logits of the last row.
    public var samples: Bool
    /// The number of draft tokens at the end of `tokens`. The logits of the rows before them verify them.
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
    /// The number of prompt tokens that are in the cache and do not need to be computed.
    public var cachedTokens: Int
    /// Why there are not more cached tokens. `nil` if the hit has the maximum length or if prefixes are not cached.
    public var missReason: PrefixMissReason?

    public init(id: SequenceID, cachedTokens: Int, missReason: PrefixMissReason? = nil) {
        self.id = id
        self.cachedTokens = cachedTokens
        self.missReason = missReason
    }
}
