/// What the scheduler knows of one sequence.
struct SequenceState: Sendable {
    enum Status: Sendable {
        case waiting
        case running
    }

    var status = Status.waiting
    /// Prompt tokens and the tokens sampled so far.
    var tokens: Int
    /// What `tokens` may grow to.
    let tokenLimit: Int
    /// Tokens whose keys and values are in the cache; 0 while waiting.
    var computedTokens = 0
    /// Tells which of its slots the prefix cache has.
    var prefix: PrefixChain
    /// Whether it begins with what the prefix cache has of it.
    var takesPrefix = true
    /// Whether it has run before, so that it waits because it was preempted.
    var wasAdmitted = false

    /// Tokens to compute before the next one can be sampled: 1 for a decode, more in a prefill or a recompute.
    var remainingTokens: Int { tokens - computedTokens }
}
