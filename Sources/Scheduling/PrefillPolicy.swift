/// How much of a step prefills may take while sequences decode: what trades the throughput of the server and the time to a first
/// token for the time between two tokens.
public enum PrefillPolicy: Sendable, Equatable {
    /// As much as the token budget allows: the best throughput.
    case unbounded
    /// What is left of this time, or half as much time as the decodes take if that is more.
    case within(Duration)
    /// Half as much time as the decodes take, at least the rest of ``leastStep``: the smoothest streams.
    case interactive
    /// The same while few sequences wait for their first token. For many, chunks that waste little: see ``PrefillDemand``.
    case balanced

    /// A step of this time is always allowed by a policy without a time of its own: nobody reads faster, and a small model's chunks
    /// would be tiny.
    static let leastStep = Duration.milliseconds(8)
    /// Prefill time for each second of decode time, whatever the limit.
    static let leastShare = 0.5
    /// How much of a balanced policy's prefill time each waiting sequence has for each one that decodes.
    static let shareOfWaiting = 4.0
    /// Where at least as many sequences wait as decode, a prompt token costs at most this much times the least.
    static let mostCost = 1.5
    /// A chunk whose tokens cost this much times the least gains nothing from being larger.
    static let efficientCost = 1.1

    /// What a step may take with draft tokens in it, where it may take `time` without: they are there to make streams faster, so
    /// the time that keeps streams smooth does not bind them.
    func draftTime(for time: Duration) -> Duration {
        switch self {
        case .unbounded, .within: time
        case .interactive, .balanced: max(time, .milliseconds(100))
        }
    }
}

/// Who wants a step's time.
///
/// Under ``PrefillPolicy/balanced`` the prefills of W waiting sequences, beside D decoding ones, get
///
///     decode time * max(1/2, 4 * W / D)
///
/// but no more than a chunk needs whose tokens cost 1.1 times the least, and where W >= D no less than one needs whose tokens cost
/// 1.5 times the least. The least is what a token costs in the largest chunk that the token budget allows.
///
/// Why: streams are delayed by large chunks, and waiting sequences by small ones, in which each token reads more weights. Small ones
/// also keep the batch small, for sequences end as soon as others begin, and a small batch decodes at a higher cost. Both losses
/// are borne by W sequences, the delay by D.
struct PrefillDemand {
    /// What the step computes before any prefill: all decodes.
    var decodes: StepWork
    /// Sequences that decode, and those that wait for their first token and may run now.
    var decoding: Int
    var waiting: Int
    /// Tokens that the token budget leaves.
    var tokens: Int

    /// How long the step may take; `nil`: whatever the tokens take.
    func stepTime(_ policy: PrefillPolicy, _ model: StepTimeModel) -> Duration? {
        guard decoding > 0 else { return nil }
        let decodeTime = model.time(decodes)
        let least = decodeTime * (1 + PrefillPolicy.leastShare)
        switch policy {
        case .unbounded: return nil
        case .within(let limit): return max(limit, least)
        case .interactive: return max(PrefillPolicy.leastStep, least)
        case .balanced:
            let time = max(PrefillPolicy.leastStep, least)
            guard waiting > 0, tokens > 0 else { return time }
            let share = PrefillPolicy.shareOfWaiting * Double(waiting) / Double(decoding)
            let fair = min(decodeTime * (1 + share), chunkTime(PrefillPolicy.efficientCost, model))
            return max(time, fair, waiting >= decoding ? chunkTime(PrefillPolicy.mostCost, model) : .zero)
        }
    }

    /// The time of a step with the decodes and the smallest chunk whose tokens cost at most `factor` times the least.
    private func chunkTime(_ factor: Double, _ model: StepTimeModel) -> Duration {
        var work = decodes
        work.add(0..<model.smallestChunk(costing: factor, ofChunk: tokens), isDecode: false)
        return model.time(work)
    }
}
