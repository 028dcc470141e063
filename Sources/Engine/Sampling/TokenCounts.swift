/// The state of a sequence that sampling needs: the ids in its prompt, how often each id was generated, and the last ids.
struct TokenCounts {
    /// The ids of the prompt, if there are penalties. All choices of a prompt share the set.
    let prompt: Set<Int32>
    /// The number of times that each generated id was generated.
    private(set) var generated: [Int32: Int] = [:]
    /// The last generated ids, as many as the longest bad word requires.
    private(set) var recent: [Int32] = []
    private let memory: Int

    /// - Parameters:
    ///   - prompt: The ids of the prompt, if there are penalties.
    ///   - memory: The number of last generated ids to keep.
    init(prompt: Set<Int32>, memory: Int = 0) {
        self.memory = memory
        self.prompt = prompt
    }

    /// Creates the state that sampling with `parameters` needs.
    init(for parameters: SamplingParameters, prompt: Set<Int32>) {
        self.init(
            prompt: parameters.hasPenalties ? prompt : [],
            memory: parameters.badWords.reduce(0) { max($0, $1.count - 1) })
    }

    /// Counts one generated token. Call this for each token in order, before the next one is sampled.
    mutating func append(_ id: Int32) {
        generated[id, default: 0] += 1
        recent.append(id)
        if recent.count > memory { recent.removeFirst() }
    }
}

extension SamplingParameters {
    var hasPenalties: Bool { repetitionPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0 }

    /// Whether sampling depends on `TokenCounts`. Otherwise they need not be kept.
    var needsCounts: Bool { hasPenalties || !badWords.isEmpty }
}
