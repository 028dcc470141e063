/// How much time prefills get in a step with decoding sequences. The policy trades throughput and time to first token against
/// inter-token latency.
public enum PrefillPolicy: Sendable, Equatable {
    /// Prefills get as many tokens as the token budget allows. This gives the highest throughput.
    case unbounded
    /// A step takes at most this time, or 1.5 times the time of its decodes if that is more.
    case within(Duration)
    /// A step takes at most 1.5 times the time of its decodes, or ``leastStep`` if that is more. This gives the smoothest streams.
    case interactive
    /// Like `interactive` while few sequences wait for their first token. If many wait, chunks become larger and more efficient:
    /// see ``PrefillDemand``.
    case balanced

    /// The step time that `interactive` and `balanced` always allow. It is too short to be noticed, and without it the chunks of a
    /// small model would be tiny.
    static let leastStep = Duration.milliseconds(8)
    /// The minimum prefill time, relative to decode time.
    static let leastShare = 0.5
    /// The factor of `balanced`: prefill time relative to decode time is this factor times the number of waiting sequences per
    /// decoding sequence.
    static let shareOfWaiting = 6.0
    /// The maximum cost of a prompt token, relative to the lowest cost, if at least as many sequences wait as decode.
    static let mostCost = 1.2
    /// The relative cost of a prompt token below which larger chunks have no significant advantage.
    static let efficientCost = 1.1

    /// Returns the time limit of a step with draft tokens, given the limit `time` without them. Drafts make streams faster, so the
    /// limits that keep streams smooth do not apply to them.
    func draftTime(for time: Duration) -> Duration {
        switch self {
        case .unbounded, .within: time
        case .interactive, .balanced: max(time, .milliseconds(100))
        }
    }
}

/// The sequences that compete for the time of a step.
///
/// Under ``PrefillPolicy/balanced``, with W waiting and N decoding sequences, the time for prefills is
///
///     decode time * max(1/2, 6 * W / N)
///
/// The upper bound is the time of a chunk whose tokens cost 1.1 times the lowest cost. If W >= N, the lower bound is the time of a
/// chunk whose tokens cost 1.2 times the lowest cost. The lowest cost is that of a token in the largest chunk that the token budget
/// allows.
///
/// The reason is that large chunks delay the N streams, and small chunks delay the W waiting sequences, since each small chunk
/// reads most of the experts again. Small chunks also keep the batch small, because sequences end as fast as others begin, and
/// decoding is less efficient in a small batch.
struct PrefillDemand {
    /// The work of the step before any prefill: all decodes.
    var decodes: StepWork
    /// The number of decoding sequences.
    var decoding: Int
    /// The number of sequences that wait for their first token and may run now. Sequences with short prompts and with long prompts
    /// are counted separately, and this is the larger number. Short prompts are computed first, so a step does not become longer
    /// because of a long prompt beside them.
    var waiting: Int
    /// The remaining tokens of the token budget.
    var tokens: Int

    /// Returns the maximum time of the step, or `nil` for no limit.
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

    /// Returns the time of a step with the decodes and the smallest chunk whose tokens cost at most `factor` times the lowest cost.
    private func chunkTime(_ factor: Double, _ model: StepTimeModel) -> Duration {
        var work = decodes
        work.add(0..<model.smallestChunk(costing: factor, ofChunk: tokens), isDecode: false)
        return model.time(work)
    }
}
