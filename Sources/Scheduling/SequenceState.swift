/// What the scheduler knows of one sequence.
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
    /// What `tokens` may grow to.
    let tokenLimit: Int
    /// Tokens whose keys and values are in the cache; 0 while waiting.
    var computedTokens = 0
    /// Tells which of its logical blocks the prefix cache has.
    var prefix: PrefixChain
    /// Whether it begins with what the prefix cache has of it.
    var takesPrefix = true
    /// Whether it has run before, so that it waits because it was preempted.
    var wasAdmitted = false
    /// Tokens that the prefix cache had when the sequence began to wait: an estimate of what it will have.
    var expectedHit = 0
    /// Tokens computed for it in all its runs.
    var work = 0
    /// Tokens behind the computed ones whose keys and values are in the cache too, should they be sampled.
    var verifiableDrafts = 0
    /// Steps in a row for which it has been deferred.
    var deferredSteps = 0
    /// Prompt tokens that its tenant has been charged for.
    var chargedTokens = 0

    /// Tokens to compute before the next one can be sampled.
    var remainingTokens: Int { tokens - computedTokens }

    /// Whether more than a decode's one token is to be computed: a prompt, or a recompute after a preemption.
    var isPrefill: Bool { remainingTokens > 1 }
}
