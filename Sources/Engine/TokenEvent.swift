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
    /// When the scheduler first ran the sequence; only in the first event after that.
    public var admitted: ContinuousClock.Instant?
    public var tokens: [GeneratedToken] = []
    /// Released text. It may lag behind `tokens` while a character is incomplete or a stop string may be beginning. The stop
    /// string itself is not included unless requested.
    public var text = ""
    /// Set in the last event of the sequence, which occurs exactly once.
    public var finish: FinishReason?
    /// Prompt tokens whose keys and values came from the cache; only in the event with `admitted`.
    public var cachedTokens = 0
    /// Why there are not more; only in the event with `admitted`.
    public var prefixMissReason: PrefixMissReason?
    /// The number of computed prompt tokens, and the time of that; if requested and if more prompt tokens follow.
    public var promptProgress: (tokens: Int, time: ContinuousClock.Instant)?
    /// The number of preemptions; only in the last event.
    public var preemptions = 0
    /// Log-probabilities of the next prompt tokens, starting with the second; all are reported by the first token's event.
    public var promptLogprobs: [TokenLogprobs] = []
    /// The mean of the prompt's final hidden states, of length 1, (hiddenSize); in the last event, if requested.
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
