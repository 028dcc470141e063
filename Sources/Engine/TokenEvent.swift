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

/// What happened to one sequence since the last report: the server never sees a sequence twice in one report.
public struct TokenEvent: Sendable {
    public var sequence: SequenceID
    /// When the scheduler first ran the sequence; in the first event after that only.
    public var admitted: ContinuousClock.Instant?
    public var tokens: [GeneratedToken] = []
    /// Text that can no longer be taken back; it may lag behind `tokens` while a character is incomplete or a stop
    /// string may be beginning. The stop string itself is not in it unless asked for.
    public var text = ""
    /// Set in the last event of the sequence, which comes exactly once.
    public var finish: FinishReason?
    /// Prompt tokens whose keys and values came from the cache; in the event with `admitted` only.
    public var cachedTokens = 0
    /// Why these are not more; in the event with `admitted` only.
    public var prefixMissReason: PrefixMissReason?
    /// How many of the prompt's tokens are computed, and since when it is; where that is asked for and more are to come.
    public var promptProgress: (tokens: Int, time: ContinuousClock.Instant)?
    /// How often it was sent back to the queue; in the last event only.
    public var preemptions = 0
    /// Log-probabilities of the next of the prompt's tokens, from its second on; all have come by the first token's event.
    public var promptLogprobs: [TokenLogprobs] = []
    /// The mean of the prompt's final hidden states, of length 1, (hiddenSize); in the last event, where that is asked for.
    public var embedding: [Float]?

    public init(sequence: SequenceID) {
        self.sequence = sequence
    }

    /// Appends what happened later to the same sequence.
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
