/// What the scheduler may have in hand at once.
public struct SchedulerLimits: Sendable, Equatable {
    /// Sequences that run at once. `maxBatchedTokens` bounds them too: a decode of each fits in one step.
    public var maxSequences: Int
    /// Tokens that one step computes: the token budget.
    public var maxBatchedTokens: Int
    /// Sequences that wait; the preempted ones count, but are never turned away.
    public var maxQueuedSequences: Int
    /// Tokens of a sequence, prompt and completion; `nil`: as far as the pool reaches.
    public var maxModelLength: Int?
    /// How long a step may take in which somebody decodes: the time budget.
    public var prefillPolicy: PrefillPolicy
    /// The share of a layer's experts that one token is sent to; 1: all.
    public var expertShare = 1.0
    /// Draft tokens that one step verifies, of all its sequences together.
    public var maxDraftTokens = 0
    /// Tokens that the first prefill in line computes in every step, whatever the time budget says.
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

    /// Sequences that run at once under both limits.
    public var maxRunning: Int { min(maxSequences, maxBatchedTokens) }
}

/// Why a sequence is not taken into the waiting queue.
public enum AdmissionError: Error, Sendable, Equatable {
    /// As many as `limit` wait already; later there may be room.
    case queueFull(limit: Int)
    /// At its greatest length it needs `needed` blocks, more than the `pool` has: not even alone would it end.
    case neverFits(needed: Int, pool: Int)
}
