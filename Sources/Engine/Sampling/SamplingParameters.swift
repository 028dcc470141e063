/// The sampling parameters of one choice: the values of the request, with the defaults of `generation_config.json`. The creator
/// checks the ranges.
///
/// They are applied in the order of vLLM's sampler: allowed tokens, bad words, minimum tokens and bias, penalties, temperature,
/// min-p, top-k, top-p, draw.
public struct SamplingParameters: Sendable, Hashable {
    /// The temperature, in [0, 2]. Below 1e-5, sampling is greedy and the truncations have no effect.
    public var temperature: Float = 1
    /// The number of largest logits to keep, including ties. 0 is off.
    public var topK: Int = 0
    /// The minimum probability of the smallest set of most probable tokens to keep, in (0, 1]. 1 is off.
    public var topP: Float = 1
    /// The minimum probability of a token to keep, relative to that of the most probable one, in [0, 1]. 0 is off.
    public var minP: Float = 0
    /// The divisor of positive logits and factor of negative logits of ids that occur in the prompt or output, greater than 0. 1 is
    /// off.
    public var repetitionPenalty: Float = 1
    /// The amount subtracted from the logit once for each time the id was generated, in [-2, 2].
    public var frequencyPenalty: Float = 0
    /// The amount subtracted from the logit of every id that was generated, in [-2, 2].
    public var presencePenalty: Float = 0
    /// The biases added to the logits of these ids, each in [-100, 100], in ascending order of id, each id once.
    public var logitBias: [LogitBias] = []
    /// The only ids that can be sampled, or `nil` for all ids.
    public var allowedTokenIDs: [Int32]?
    /// The non-empty sequences of ids that are never completed: the last id cannot be sampled if the others were just generated.
    public var badWords: [[Int32]] = []
    /// The number of tokens to generate before end-of-sequence and stop ids can be sampled.
    public var minTokens: Int = 0
    /// The seed of the random numbers. (seed, choice, position) determine each number, so results do not depend on other requests.
    public var seed: UInt64 = 0
    /// The index of the choice among the choices of one prompt, starting at 0.
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

/// The reported log-probabilities of one token. They are natural logarithms, computed from the model's original logits.
public struct TokenLogprobs: Sendable, Hashable {
    /// The log-probability of the token itself.
    public var logprob: Float
    /// The rank of the token, which is 1 for the most probable one.
    public var rank: Int
    /// The most probable tokens in descending order, as many as requested. Of equal tokens, the lowest id comes first.
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
