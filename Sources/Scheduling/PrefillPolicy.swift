/// How much time prefills get in a step with decoding sequences. It trades throughput and the time to first token for inter-token
/// latency.
public enum PrefillPolicy: Sendable, Equatable {
    /// As much as the token budget allows: the highest throughput.
    case unbounded
    /// A step takes at most this time, or half as long again as its decodes if that is more.
    case within(Duration)
    /// A step takes half as long again as its decodes, at least ``leastStep``: the smoothest streams.
    case interactive
    /// The same while few sequences wait for their first token. If many wait, chunks become larger and more efficient: see
    /// ``PrefillDemand``.
    case balanced

    /// The time of a step that `interactive` and `balanced` always allow: it is too short to be noticed, and the chunks of a small
    /// model would be tiny without it.
    static let leastStep = Duration.milliseconds(8)
    /// The minimum of prefill time, relative to decode time.
    static let leastShare = 0.5
    /// With `balanced`, prefill time relative to decode time is this factor times waiting sequences per decoding sequence.
    static let shareOfWaiting = 6.0
    /// The maximum cost of a prompt token, relative to the least, if at least as many sequences wait as decode.
    static let mostCost = 1.2
    /// The relative cost of a prompt token from which on larger chunks have no significant advantage.
    static let efficientCost = 1.1

    /// The time of a step with draft tokens if it is `time` without them. Drafts make streams faster, so the limits that keep streams
    /// smooth do not apply to them.
    func draftTime(for time: Duration) -> Duration {
        switch self {
        case .unbounded, .within: time
        case .interactive, .balanced: max(time, .milliseconds(100))
        }
    }
}

/// The sequences that compete for the time of a step.
///
/// Under ``PrefillPolicy/balanced``, with W waiting and N decoding sequences, prefills get
///
///     decode time * max(1/2, 6 * W / N)
///
/// but no more than a chunk needs whose tokens cost 1.1 times the least, and if W >= N no less than a chunk needs whose tokens cost
/// 1.2 times the least. The least cost is that of a token in the largest chunk that the token budget allows.
///
/// Reason: large chunks delay the N streams, and small chunks delay the W waiting sequences, since each small chunk reads most of
/// the experts again. Small chunks also keep the batch small, because sequences end as fast as others begin, and decode is less
/// efficient in a small batch.
struct PrefillDemand {
    /// The work of the step before any prefill: all decodes.
    var decodes: StepWork
    /// Sequences that decode.
    var decoding: Int
    /// Sequences that wait for their first token and may run now: those with short prompts, or those with long ones if these are
    /// more. Short prompts come first, so that a step is not made longer for a long one beside them.
    var waiting: Int
    /// Tokens left of the token budget.
    var tokens: Int

    /// The maximum time of the step; `nil`: no limit.
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
