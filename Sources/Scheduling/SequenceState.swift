/// The scheduler's state of one sequence.
struct SequenceState: Sendable {
    enum Status: Sendable {
        case waiting
        case running
    }

    var status = Status.waiting
    let parameters: SchedulingParameters
    let promptTokens: Int
    /// Prompt tokens and the tokens sampled so far.
    var tokens: Int
    /// The maximum of `tokens`.
    let tokenLimit: Int
    /// Tokens whose keys and values are in the cache; 0 while waiting.
    var computedTokens = 0
    /// The end of its tokens that batches in flight compute, without drafts; `nil`: it is in none.
    var inFlightEnd: Int?
    /// The batches in flight that it is part of: several only while it prefills.
    var batchesInFlight = 0
    /// Identifies its logical blocks in the prefix cache.
    var prefix: PrefixChain
    /// Whether to reuse its cached prefix.
    var takesPrefix = true
    /// Whether it has run before; if it waits, it was preempted.
    var wasAdmitted = false
    /// The number of its tokens in the prefix cache when it was queued: an estimate of its later hit.
    var expectedHit = 0
    /// Tokens computed for it in all its runs.
    var work = 0
    /// The number of tokens after the computed ones whose keys and values are also in the cache, in case they are sampled.
    var verifiableDrafts = 0
    /// The number of consecutive steps for which it has been deferred.
    var deferredSteps = 0
    /// The number of prompt tokens that its tenant has been charged for.
    var chargedTokens = 0

    /// The tokens that are in the cache, or will be when the batches in flight have run.
    var scheduledTokens: Int { inFlightEnd ?? computedTokens }

    /// Tokens to schedule before the next one can be sampled.
    var remainingTokens: Int { tokens - scheduledTokens }

    /// Whether it needs to compute more than the one token of a decode: a prompt, or a recompute after a preemption.
    var isPrefill: Bool { remainingTokens > 1 }
}
