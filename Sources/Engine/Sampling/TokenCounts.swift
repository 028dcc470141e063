/// What sampling needs to know of a sequence: which ids occur in its prompt, how often each was generated, and which came
/// last.
struct TokenCounts {
    /// The ids of the prompt, when there are penalties; all choices of a prompt share it.
    let prompt: Set<Int32>
    /// Times each generated id was generated.
    private(set) var generated: [Int32: Int] = [:]
    /// The last generated ids, as many as bad words can ask for.
    private(set) var recent: [Int32] = []
    private let memory: Int

    /// - Parameters:
    ///   - prompt: the prompt's ids, when there are penalties.
    ///   - memory: how many of the last generated ids are kept.
    init(prompt: Set<Int32>, memory: Int = 0) {
        self.memory = memory
        self.prompt = prompt
    }

    /// What sampling with `parameters` needs.
    init(for parameters: SamplingParameters, prompt: Set<Int32>) {
        self.init(
            prompt: parameters.hasPenalties ? prompt : [],
            memory: parameters.badWords.reduce(0) { max($0, $1.count - 1) })
    }

    /// Counts one generated token; called for each token in turn, before the next is sampled.
    mutating func append(_ id: Int32) {
        generated[id, default: 0] += 1
        recent.append(id)
        if recent.count > memory { recent.removeFirst() }
    }
}

extension SamplingParameters {
    var hasPenalties: Bool { repetitionPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0 }

    /// Whether sampling depends on `TokenCounts`; when not, nobody needs to keep them.
    var needsCounts: Bool { hasPenalties || !badWords.isEmpty }
}
