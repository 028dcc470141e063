/// What the penalties need to know of a sequence: which ids occur in its prompt, and how often each was generated.
struct TokenCounts {
    /// Times each id was generated; 0 for one that only the prompt has.
    private(set) var generated: [Int32: Int] = [:]

    init(prompt: some Sequence<Int32>) {
        for id in prompt { generated[id] = 0 }
    }

    /// Counts one generated token; called for each token in turn, before the next is sampled.
    mutating func append(_ id: Int32) {
        generated[id, default: 0] += 1
    }
}

extension SamplingParameters {
    /// Whether sampling depends on `TokenCounts`; when not, nobody needs to keep them.
    var hasPenalties: Bool { repetitionPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0 }
}
