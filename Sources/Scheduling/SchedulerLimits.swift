/// Limits of the scheduler.
public struct SchedulerLimits: Sendable, Equatable {
    /// Maximum number of running sequences. `maxBatchedTokens` also limits them: a decode of each must fit in one step.
    public var maxSequences: Int
    /// Maximum number of tokens of one step: the token budget.
    public var maxBatchedTokens: Int
    /// Maximum number of waiting sequences; preempted ones count, but are never refused.
    public var maxQueuedSequences: Int
    /// Maximum number of tokens of a sequence, prompt and completion; `nil`: as many as fit the pool.
    public var maxModelLength: Int?
    /// The time of a step with decoding sequences: the time budget.
    public var prefillPolicy: PrefillPolicy
    /// The share of a layer's experts that one token is routed to; 1: all.
    public var expertShare = 1.0
    /// Maximum number of draft tokens of one step, of all its sequences together.
    public var maxDraftTokens = 0
    /// Minimum number of tokens that the first prefill in line computes in every step, regardless of the time budget.
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

    /// Maximum number of running sequences under both limits.
    public var maxRunning: Int { min(maxSequences, maxBatchedTokens) }
}

/// Why a sequence is not added to the waiting queue.
public enum AdmissionError: Error, Sendable, Equatable {
    /// There are `limit` waiting sequences already; there may be room later.
    case queueFull(limit: Int)
    /// At its maximum length it needs `needed` blocks, more than the `pool` has, so it could not finish even alone.
    case neverFits(needed: Int, pool: Int)
}
