/// The scheduler's state of one sequence.
struct SequenceState: Sendable {
    enum Status: Sendable {
        case waiting
        case running
    }

    var status = Status.waiting
    let parameters: SchedulingParameters
    let promptTokens: Int
    /// The number of prompt tokens and tokens sampled so far.
    var tokens: Int
    /// The maximum of `tokens`.
    let tokenLimit: Int
    /// The number of tokens whose keys and values are in the cache, or 0 while waiting.
    var computedTokens = 0
    /// The end of the tokens that batches in flight compute, without drafts, or `nil` if the sequence is in none.
    var inFlightEnd: Int?
    /// The number of batches in flight that include the sequence. It exceeds 1 only while the sequence prefills.
    var batchesInFlight = 0
    /// The hashes that identify the sequence's logical blocks in the prefix cache.
    var prefix: PrefixChain
    /// Whether to reuse the sequence's cached prefix.
    var takesPrefix = true
    /// Whether the sequence has run before. If it has and is waiting, it was preempted.
    var wasAdmitted = false
    /// The number of tokens in the prefix cache when the sequence was queued: an estimate of its later hit.
    var expectedHit = 0
    /// The number of tokens computed for the sequence, including recomputed ones.
    var work = 0
    /// The number of draft tokens after the computed tokens whose keys and values are also in the cache, in case they are accepted.
    var verifiableDrafts = 0
    /// The number of consecutive steps for which the sequence has been deferred.
    var deferredSteps = 0
    /// The number of prompt tokens that the tenant has been charged for.
    var chargedTokens = 0

    /// The number of tokens that are in the cache, or will be after the batches in flight have run.
    var scheduledTokens: Int { inFlightEnd ?? computedTokens }

    /// The number of tokens to schedule before the next one can be sampled.
    var remainingTokens: Int { tokens - scheduledTokens }

    /// Whether the sequence needs to compute more than the one token of a decode: a prompt, or a recomputation after a preemption.
    var isPrefill: Bool { remainingTokens > 1 }
}
