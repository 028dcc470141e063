import Scheduling

/// A token that the engine generated.
public struct GeneratedToken: Sendable {
    public var id: Int32
    public var logprobs: TokenLogprobs?
    public var time: ContinuousClock.Instant

    public init(id: Int32, logprobs: TokenLogprobs?, time: ContinuousClock.Instant) {
        self.id = id
        self.logprobs = logprobs
        self.time = time
    }
}

/// The changes of one sequence since the last report, which has at most one event per sequence.
public struct TokenEvent: Sendable {
    public var sequence: SequenceID
    /// The time when the scheduler first ran the sequence. Set only in the first event after that.
    public var admitted: ContinuousClock.Instant?
    public var tokens: [GeneratedToken] = []
    /// The released text. It may lag behind `tokens` while a character is incomplete or the text may be the beginning of a stop
    /// string. The stop string itself is not included unless requested.
    public var text = ""
    /// The finish reason. It is set only in the last event of the sequence, which occurs exactly once.
    public var finish: FinishReason?
    /// The number of prompt tokens whose keys and values came from the cache. Set only in the event with `admitted`.
    public var cachedTokens = 0
    /// Why there are not more cached tokens. Set only in the event with `admitted`.
    public var prefixMissReason: PrefixMissReason?
    /// The number of computed prompt tokens and the time when they were computed. Set if requested and if more prompt tokens
    /// follow.
    public var promptProgress: (tokens: Int, time: ContinuousClock.Instant)?
    /// The number of preemptions. Set only in the last event.
    public var preemptions = 0
    /// The log-probabilities of the next prompt tokens, starting with the second. All are reported by the time of the first token's
    /// event.
    public var promptLogprobs: [TokenLogprobs] = []
    /// The mean of the prompt's final hidden states, scaled to length 1, (hiddenSize). Set in the last event if requested.
    public var embedding: [Float]?

    public init(sequence: SequenceID) {
        self.sequence = sequence
    }

    /// Appends a later event of the same sequence.
    public mutating func merge(_ later: TokenEvent) {
        precondition(later.sequence == sequence, "events of two sequences are never merged")
        admitted = admitted ?? later.admitted
        tokens += later.tokens
        text += later.text
        finish = later.finish
        cachedTokens = max(cachedTokens, later.cachedTokens)
        prefixMissReason = prefixMissReason ?? later.prefixMissReason
        preemptions = max(preemptions, later.preemptions)
        promptProgress = later.promptProgress ?? promptProgress
        promptLogprobs += later.promptLogprobs
        embedding = embedding ?? later.embedding
    }
}
