import Grammars
import Scheduling

/// One sequence to generate: one choice of one prompt of one request.
public struct GenerationRequest: Sendable {
    public var id: SequenceID
    /// At least one id, each below the vocabulary size; with `maxTokens` it fits the model's length. A sequence that
    /// breaks this ends with an error.
    public var promptIDs: [Int32]
    public var sampling: SamplingParameters
    public var stop: StopConditions
    /// 0: the prompt is computed and nothing is generated.
    public var maxTokens: Int
    /// Sequences of different salts share no cached prefix.
    public var cacheSalt: [UInt8] = []
    /// Lower is earlier.
    public var priority = 0
    /// On whose account it runs: within a priority, tenants get equal shares.
    public var tenant = ""
    /// When it is aborted if it has not ended by itself; if that is before its first step it never starts.
    public var deadline: ContinuousClock.Instant?
    /// How many alternatives to report beside the sampled token; `nil`: no log-probabilities at all.
    public var logprobs: Int?
    /// The same for the prompt's tokens, from the second on. Such a sequence takes nothing from the prefix cache: it needs
    /// the logits of all its prompt.
    public var promptLogprobs: Int?
    /// Whether the mean of the prompt's final hidden states is wanted, with `maxTokens` 0. Such a sequence takes nothing from the
    /// prefix cache either, which has no hidden states.
    public var embedsPrompt = false
    /// What its text has to be like; `nil`: anything.
    public var grammar: GrammarMatcher?
    /// How long it may reason; `nil`: as long as it likes.
    public var thinking: ThinkingBudget?
    /// Whether events tell how far its prompt is computed.
    public var reportsProgress = false
    /// Whether to use speculative decoding, which changes nothing but how soon tokens come.
    public var speculates = true
    /// Whether tokens are turned into text; off for models without a tokenizer.
    public var detokenizes = true
    /// Whether special tokens are left out of the text.
    public var skipsSpecialTokens = true
    /// Special tokens that are text all the same: the tags by which the parts of a reply are told apart.
    public var keptSpecialTokens: Set<Int32> = []

    public init(
        id: SequenceID, promptIDs: [Int32], sampling: SamplingParameters, stop: StopConditions, maxTokens: Int,
        logprobs: Int? = nil
    ) {
        self.id = id
        self.promptIDs = promptIDs
        self.sampling = sampling
        self.stop = stop
        self.maxTokens = maxTokens
        self.logprobs = logprobs
    }
}

/// What ends a sequence before its token limit.
public struct StopConditions: Sendable, Hashable {
    /// Text that ends the sequence, matched across tokens.
    public var strings: [String] = []
    /// Ids that end the sequence, beside the model's end-of-sequence ids.
    public var tokenIDs: Set<Int32> = []
    /// Whether the model's end-of-sequence ids are ordinary tokens.
    public var ignoresEndOfSequence = false
    /// Whether a matched stop string, or the text of a stop id, stays in the text.
    public var keepsStopText = false

    public init() {}
}

/// Why a sequence ended.
public enum FinishReason: Sendable, Hashable {
    /// It stopped by itself: an end-of-sequence id, a stop id or a stop string.
    case stop(StopReason)
    /// It reached its token limit or the model's length.
    case length
    /// It was aborted.
    case abort
    /// Its deadline passed, and it was aborted for that.
    case deadlineExceeded
    /// Its own terms leave no token that may come next.
    case unsatisfiable
    /// Its grammar exceeds a bound; the text says which, as what the grammar does: "uses more than ...".
    case grammarLimit(String)
    /// The engine failed it; the text is for the log, not for the client.
    case error(String)
}

/// What stopped a sequence that stopped by itself.
public enum StopReason: Sendable, Hashable {
    case endOfSequence
    case token(Int32)
    case string(String)
}

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

/// A snapshot of the engine's load and its running totals, taken at the end of a step.
public struct EngineStatistics: Sendable {
    public var scheduler = SchedulerStatistics()
    /// Counters since start.
    public var steps: UInt64 = 0
    public var promptTokens: UInt64 = 0
    public var generationTokens: UInt64 = 0
    /// What all steps have read.
    public var traffic = MemoryTraffic()
    /// What all steps have spent their time on.
    public var phases = StepPhases()
    public var stepSizes = StepSizes()
    /// What grammars have cost.
    public var masks = MaskStatistics()
    /// Bytes a second that recent steps have read of weights, keys and values; `nil` before the first step.
    public var readRate: Double?

    public init() {}
}

/// What working out the tokens that grammars let come next has cost, since the start.
public struct MaskStatistics: Sendable, Equatable {
    /// Masks that were worked out beside the engine thread, how long that took in all, and how many units of work it was.
    public var computations: UInt64 = 0
    public var time = Duration.zero
    public var units: UInt64 = 0
    /// Times that a sequence could not sample because its mask was not ready.
    public var deferrals: UInt64 = 0
    /// How long steps have waited for masks.
    public var waits = Duration.zero

    public init() {}
}

/// How long the parts of steps took.
public struct StepPhases: Sendable, Equatable {
    /// Choosing what to compute.
    public var schedule = Duration.zero
    /// The model.
    public var forward = Duration.zero
    /// Sampling, and the log-probabilities of prompts.
    public var sample = Duration.zero
    /// Text, stops, and handing events over.
    public var report = Duration.zero
}

/// What the engine thread has for the server, at most one event a sequence.
public struct EngineReport: Sendable {
    public var events: [TokenEvent]
    public var statistics: EngineStatistics

    public init(events: [TokenEvent], statistics: EngineStatistics) {
        self.events = events
        self.statistics = statistics
    }
}
