/// The limits of the scheduler.
public struct SchedulerLimits: Sendable, Equatable {
    /// The maximum number of running sequences. `maxBatchedTokens` also limits it, because a decode of each must fit in one step.
    public var maxSequences: Int
    /// The maximum number of tokens of one step: the token budget.
    public var maxBatchedTokens: Int
    /// The maximum number of waiting sequences. Preempted sequences count, but are never refused.
    public var maxQueuedSequences: Int
    /// The maximum number of tokens of a sequence, prompt and completion together. `nil` allows as many as fit the pool.
    public var maxModelLength: Int?
    /// The policy for the time of a step with decoding sequences: the time budget.
    public var prefillPolicy: PrefillPolicy
    /// The share of a layer's experts that one token is routed to. 1 means all.
    public var expertShare = 1.0
    /// The maximum number of draft tokens of one step, summed over its sequences.
    public var maxDraftTokens = 0
    /// The minimum number of tokens that the first prefill in line computes in every step, regardless of the time budget.
    public var minimumChunk = 4

    public init(
        maxSequences: Int, maxBatchedTokens: Int, maxQueuedSequences: Int, maxModelLength: Int? = nil,
        prefillPolicy: PrefillPolicy = .unbounded
    ) {
        self.maxSequences = maxSequences
        self.maxBatchedTokens = maxBatchedTokens
        self.maxQueuedSequences = maxQueuedSequences
        self.maxModelLength = maxModelLength
        self.prefillPolicy = prefillPolicy
    }

    /// The maximum number of running sequences under both limits.
    public var maxRunning: Int { min(maxSequences, maxBatchedTokens) }
}

/// The reason why a sequence was not added to the waiting queue.
public enum AdmissionError: Error, Sendable, Equatable {
    /// `limit` sequences are already waiting. There may be room later.
    case queueFull(limit: Int)
    /// At its maximum length, the sequence needs `needed` blocks, which is more than the `pool` has. It could not finish even if it
    /// ran alone.
    case neverFits(needed: Int, pool: Int)
}
