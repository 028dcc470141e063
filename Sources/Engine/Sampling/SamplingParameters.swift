/// The sampling parameters of one choice: the request's values over the defaults of `generation_config.json`. The creator
/// checks the ranges.
///
/// They are applied in the order of vLLM's sampler: allowed tokens, bad words, minimum tokens and bias, penalties, temperature,
/// min-p, top-k, top-p, draw.
public struct SamplingParameters: Sendable, Hashable {
    /// In [0, 2]; below 1e-5 the sampler is greedy and the truncations do not matter.
    public var temperature: Float = 1
    /// Keep the k largest logits, ties included; 0 is off.
    public var topK: Int = 0
    /// In (0, 1]: the smallest set of most probable tokens with at least this mass; 1 is off.
    public var topP: Float = 1
    /// In [0, 1]: drop tokens less probable than this share of the most probable one; 0 is off.
    public var minP: Float = 0
    /// Above 0: divides positive logits and multiplies negative ones of ids seen in prompt or output; 1 is off.
    public var repetitionPenalty: Float = 1
    /// In [-2, 2]: subtracted from the logit once for each time the id was generated.
    public var frequencyPenalty: Float = 0
    /// In [-2, 2]: subtracted from the logit of every id that was generated.
    public var presencePenalty: Float = 0
    /// Added to the logits of these ids, each in [-100, 100]; ascending by id, each id once.
    public var logitBias: [LogitBias] = []
    /// The only ids that can be sampled; `nil`: all of them.
    public var allowedTokenIDs: [Int32]?
    /// Sequences of ids, none empty, that are never completed: the last id cannot be sampled if the others were just generated.
    public var badWords: [[Int32]] = []
    /// End-of-sequence and stop ids cannot be sampled before this many tokens were generated.
    public var minTokens: Int = 0
    /// The seed of the random numbers; each number is determined by (seed, choice, position), so results do not depend on other
    /// requests.
    public var seed: UInt64 = 0
    /// Counts the choices of one prompt from 0.
    public var choice: Int = 0

    public init() {}
}

/// A number added to one token's logit.
public struct LogitBias: Sendable, Hashable {
    public var id: Int32
    public var bias: Float

    public init(id: Int32, bias: Float) {
        self.id = id
        self.bias = bias
    }
}

/// The reported probabilities of one generated token: natural logarithms, computed from the original logits of the model.
public struct TokenLogprobs: Sendable, Hashable {
    /// Of the sampled token.
    public var logprob: Float
    /// 1 for the most probable token.
    public var rank: Int
    /// The most probable tokens in descending order, as many as requested (of equal ones, the lowest id first).
    public var top: [TokenLogprob]

    public init(logprob: Float, rank: Int, top: [TokenLogprob]) {
        self.logprob = logprob
        self.rank = rank
        self.top = top
    }
}

/// One token and its log-probability.
public struct TokenLogprob: Sendable, Hashable {
    public var id: Int32
    public var logprob: Float

    public init(id: Int32, logprob: Float) {
        self.id = id
        self.logprob = logprob
    }
}
