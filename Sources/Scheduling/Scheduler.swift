// Decides which tokens of which sequences the next step computes. Knows lengths, blocks and durations, never a tensor or a
// clock; token ids only as what tells equal prefixes.

/// Continuous batching with chunked prefill over a paged cache.
///
/// States of a sequence:
///
///     add --> waiting --admit--> running --finish, abort--> gone
///                ^                  |
///                +---- preempt -----+        (finish and abort also end a waiting one)
///
/// One step is `schedule`, the model's run, `advance`, then `appendTokens` or `finish` for each sequence that sampled, and
/// `observe` with the time that it took.
///
/// Rules:
/// 1. *Rank.* Of two sequences the one of the lower priority ranks before the other, of equal ones the one that arrived
///    first (the smaller id). `running` is in order of rank.
/// 2. *Budgets.* A step computes at most `maxBatchedTokens` tokens, and while somebody decodes it takes at most the time of
///    ``PrefillPolicy`` as far as ``StepTimeModel`` can tell. That is never less than half as long again as the decodes
///    alone need, so that prefills are not starved by many decodes either.
/// 3. *Decodes* come first: every running sequence with one token to compute computes it.
/// 4. *Prefills* share what is left, in chunks. The first in line is the first by rank of those that prefill, and before it
///    the next waiting one if that ranks before it. It computes a quarter of what the step has for it, and at least
///    `minimumChunk` tokens whatever the time budget says. The rest goes to the lower priorities first, of equal ones to the
///    tenant that was served least (``FairShares``), of one tenant to the prompt with the fewest tokens left: short
///    prompts overtake long ones.
///    *Bound:* from when it runs, a prefill takes at most one step for each `minimumChunk` tokens of itself and of those
///    that rank before it, if the token budget leaves as much, preemptions and lack of blocks aside.
/// 5. *Blocks.* A chunk shrinks to what the available blocks hold: those that are free or cached. A decode, or the first
///    prefill, that cannot compute even one token preempts sequences that rank after it, the last one first: the highest
///    priority value, then the youngest. When there is none, and for all other prefills, it waits where it is and keeps its
///    blocks, which is cheaper than computing them again.
/// 6. *Preemption* is by recompute: the sequence frees its blocks and waits with its old rank; once it is admitted
///    again all its tokens, sampled ones too, are prefilled that the prefix cache has not kept.
/// 7. *Admission* is with the first chunk, in the order of ``WaitingQueue``, except that among as many as may run yet
///    rule 4 decides; never in a step that preempts. While others run it asks for the blocks of all the sequence's
///    tokens, for those that the prefills under way still need, and for a watermark beyond them: one logical block for every
///    running sequence, the new one included. Each can then grow by `blockSize` tokens before one is preempted. Nobody is
///    admitted while the next in the queue lacks blocks, nor in a step that has admitted many logical blocks already. When
///    nothing runs, the first is admitted without conditions.
/// 8. *Drafts.* What the budgets leave after decodes and prefills goes to draft tokens that follow a decode, which
///    one step verifies together (Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", arXiv
///    2211.17192). They are computed like tokens, and count only if they turn out to be what is sampled. They preempt
///    nobody.
/// 9. *Deadlines.* A sequence whose deadline has passed ends before the step, in whatever state: it never starts.
/// 10. *Progress.* `add` refuses what the pool cannot hold alone, so the running sequence of the first rank that is not
///    deferred, which may preempt all others behind it, advances in every step; when it ends, the next is the first. Every
///    sequence ends, unless those of lower priority never cease to come, or it is deferred for ever.
/// 11. *Deferral.* A sequence whose next token cannot be chosen yet, since what may come next is still being worked out, is
///    computed up to its last token only, and does not sample. While it waits in the queue, others come before it. Where
///    it has nothing to compute, it is preempted first, whatever its rank: by who lacks blocks at once, by who waits for
///    admission after `deferralPatience` steps, or when nothing else can be computed. So nobody waits for long for what
///    another one has to work out.
public struct Scheduler: Sendable {
    public let limits: SchedulerLimits
    var cache: KVCacheManager
    var sequences: [SequenceID: SequenceState] = [:]
    /// In order of rank.
    var running: [SequenceID] = []
    var waiting = WaitingQueue()
    var shares = TenantShares()
    var stepTimes: StepTimeModel
    var counts = SchedulerStatistics()
    private var runs = RunEstimate()
    /// Those of the last step.
    private var sequencesDeferred: Set<SequenceID> = []
    /// No sequence's deadline is earlier; those that ended may have had this one.
    private var earliestDeadline: Duration?

    /// - Precondition: limits of at least 1, and a geometry that ``KVCacheManager`` takes.
    ///
    /// - Parameter cachesPrefixes: whether computed logical blocks outlive their sequences.
    public init(limits: SchedulerLimits, geometry: KVCacheGeometry, cachesPrefixes: Bool = true) {
        precondition(
            limits.maxSequences > 0 && limits.maxBatchedTokens > 0 && limits.maxQueuedSequences > 0
                && limits.minimumChunk > 0,
            "limits of 0 would let nothing run")
        self.limits = limits
        stepTimes = StepTimeModel(expertShare: limits.expertShare)
        cache = KVCacheManager(geometry: geometry, cachesPrefixes: cachesPrefixes)
    }

    /// Whether there is nothing to schedule, now or later.
    public var isIdle: Bool { sequences.isEmpty }

    /// When a step should look at deadlines at the latest; `nil`: there is none. No sequence's deadline is earlier.
    public var nextDeadline: Duration? { earliestDeadline }

    /// How many more sequences `add` takes before the queue is full.
    public var queueRoom: Int { max(0, limits.maxQueuedSequences - waiting.count) }

    public var statistics: SchedulerStatistics {
        var statistics = counts
        statistics.running = running.count
        statistics.waiting = waiting.count
        statistics.totalBlocks = cache.geometry.totalBlocks
        statistics.freeBlocks = cache.freeBlocks
        statistics.cachedBlocks = cache.cachedBlocks
        statistics.globalBlocks = cache.globalBlocks
        statistics.slidingBlocks = cache.slidingBlocks
        statistics.prefillRate = prefillRate
        statistics.expectedEnds = running.compactMap { expectedEnd($0, statistics.prefillRate) }.sorted()
        statistics.expectedRun = expectedRun
        return statistics
    }

    /// Seconds until a running sequence ends, as far as its limit and the sequences before it tell.
    private func expectedEnd(_ id: SequenceID, _ prefillRate: Double?) -> Double? {
        guard let state = sequences[id] else { return nil }
        let left = runs.tokensLeft(
            generated: state.tokens - state.promptTokens, limit: state.tokenLimit - state.promptTokens)
        guard let seconds = runs.seconds(forTokens: left) else { return nil }
        guard state.isPrefill, let prefillRate, prefillRate > 0 else { return seconds }
        return seconds + Double(state.remainingTokens) / prefillRate
    }

    /// Seconds that a sequence runs: as long as those that ended; before one has, as long as the running ones may.
    private var expectedRun: Double? {
        if let mean = runs.meanCompletion { return runs.seconds(forTokens: mean) }
        guard !running.isEmpty else { return nil }
        let limits = running.reduce(0.0) { sum, id in
            sum + (sequences[id].map { Double($0.tokenLimit - $0.promptTokens) } ?? 0)
        }
        return runs.seconds(forTokens: limits / Double(running.count))
    }

    /// A prompt for one or several sequences that are added at once. O(`ids`).
    ///
    /// - Parameters:
    ///   - ids: at least 1.
    ///   - cacheSalt: sequences of different salts share no cached prefix.
    public func share(_ ids: [Int32], cacheSalt: [UInt8] = []) -> SharedPrompt {
        precondition(!ids.isEmpty, "a prompt has tokens")
        var chain = PrefixChain(cacheSalt: cacheSalt, blockSize: cache.geometry.blockSize)
        guard cache.prefixes != nil else { return SharedPrompt(tokens: ids.count, chain: chain, cachedTokens: 0) }
        for token in ids { chain.append(token) }
        let hit = cache.prefixHit(chain.hashes, tokens: ids.count)
        return SharedPrompt(tokens: ids.count, chain: chain, cachedTokens: hit.logicalBlocks * cache.geometry.blockSize)
    }

    /// The same for a prompt of its own.
    ///
    /// - Parameter prompt: token ids, at least 1.
    public mutating func add(
        _ id: SequenceID, prompt: [Int32], maxTokens: Int, parameters: SchedulingParameters = SchedulingParameters(),
        cacheSalt: [UInt8] = [], takesPrefix: Bool = true
    ) throws(AdmissionError) {
        try add(
            id, prompt: share(prompt, cacheSalt: cacheSalt), maxTokens: maxTokens, parameters: parameters,
            takesPrefix: takesPrefix)
    }

    /// Puts a new sequence into the waiting queue. O(1) in the length of its prompt.
    ///
    /// - Parameters:
    ///   - id: greater than all before.
    ///   - prompt: what it begins with.
    ///   - maxTokens: the most tokens that will be sampled, at least 1; cut to the model's length.
    ///   - takesPrefix: whether it begins with what the prefix cache has of it; when not, all its tokens are computed.
    /// - Throws: `neverFits` when the pool is too small for its greatest length; `queueFull` when the queue is full.
    public mutating func add(
        _ id: SequenceID, prompt: SharedPrompt, maxTokens: Int,
        parameters: SchedulingParameters = SchedulingParameters(),
        takesPrefix: Bool = true
    ) throws(AdmissionError) {
        precondition(sequences[id] == nil, "an id names one sequence only")
        precondition(maxTokens > 0, "a sequence samples at least one token")
        let tokenLimit = tokenLimit(prompt.tokens, maxTokens)
        // The last token is sampled, but nothing is sampled after it: it is never computed. Alone, a chunk shrinks to fit.
        let needed = cache.geometry.peakBlocks(tokens: tokenLimit - 1, chunk: 1)
        guard needed <= cache.geometry.totalBlocks else {
            throw .neverFits(needed: needed, pool: cache.geometry.totalBlocks)
        }
        guard queueRoom > 0 else { throw .queueFull(limit: limits.maxQueuedSequences) }
        var state = SequenceState(
            parameters: parameters, promptTokens: prompt.tokens, tokens: prompt.tokens, tokenLimit: tokenLimit,
            prefix: prompt.chain, takesPrefix: takesPrefix)
        state.expectedHit = takesPrefix ? prompt.cachedTokens : 0
        sequences[id] = state
        waiting.insert(id, parameters)
        shares.join(parameters.tenant)
        if let deadline = parameters.deadline { earliestDeadline = min(earliestDeadline ?? deadline, deadline) }
    }

    /// Plans the next step and allocates its blocks. Empty when nothing can be computed.
    /// O(running * log(running) + tokens scheduled + lanes of the queue).
    ///
    /// - Parameters:
    ///   - now: on the clock that deadlines are told by; never before an earlier step's.
    ///   - drafts: how many draft tokens a sequence has, should it decode.
    ///   - deferred: sequences that cannot sample now (rule 11); unknown ones are ignored.
    public mutating func schedule(
        now: Duration, drafts: [SequenceID: Int] = [:], deferred: Set<SequenceID> = []
    ) -> ScheduledBatch {
        var batch = ScheduledBatch()
        expire(now, in: &batch)
        let deferred = deferred.filter { sequences[$0] != nil }
        for id in sequencesDeferred.subtracting(deferred) { sequences[id]?.deferredSteps = 0 }
        for id in deferred { sequences[id]?.deferredSteps += 1 }
        sequencesDeferred = deferred
        plan(&batch, drafts: drafts, deferred: deferred)
        for scheduled in batch.sequences {
            batch.work.add(scheduled.tokens, isDecode: sequences[scheduled.id]?.isPrefill == false)
        }
        return batch
    }

    /// Records that the step of `batch` ran: its tokens are in the cache, and blocks that left the window are freed.
    /// Sequences that ended meanwhile are passed over.
    ///
    /// - Parameter deferring: sequences of the batch that were to sample and cannot: their last token counts as not
    ///   computed, so that a later step computes it again, which gives the same bits.
    public mutating func advance(_ batch: ScheduledBatch, deferring: Set<SequenceID> = []) {
        for scheduled in batch.sequences {
            guard var state = sequences[scheduled.id] else { continue }
            precondition(state.computedTokens == scheduled.tokens.lowerBound, "a batch advances once, before the next")
            let isDeferred = scheduled.samples && deferring.contains(scheduled.id)
            state.computedTokens = scheduled.tokens.upperBound - scheduled.drafts - (isDeferred ? 1 : 0)
            state.verifiableDrafts = isDeferred ? 0 : scheduled.drafts
            state.work += scheduled.tokens.count
            let charged = max(state.chargedTokens, min(state.computedTokens, state.promptTokens))
            let firstCharged = max(state.chargedTokens, scheduled.tokens.lowerBound)
            shares.charge(state.parameters.tenant, max(0, charged - firstCharged) * TenantShares.promptWeight)
            // Its own grammar makes it compute a token twice, so its tenant pays for both.
            if scheduled.samples { shares.charge(state.parameters.tenant, TenantShares.completionWeight) }
            state.chargedTokens = charged
            if state.verifiableDrafts > 0 { counts.drafts += 1 }
            counts.draftTokens += UInt64(state.verifiableDrafts)
            sequences[scheduled.id] = state
            updateCache(scheduled.id, state)
        }
    }

    /// Makes the full logical blocks of what is computed known, and frees those that left the window.
    private mutating func updateCache(_ id: SequenceID, _ state: SequenceState) {
        let hashes = state.prefix.hashes
        cache.cache(id, computedTokens: state.computedTokens, hashes: hashes)
        cache.freeOutsideWindow(id, nextQuery: state.computedTokens, hashes: hashes)
    }

    /// Records how long a step of `work` took, sampling included.
    public mutating func observe(_ work: StepWork, took time: Duration) {
        stepTimes.observe(work, took: time)
        runs.observe(work, took: time)
    }

    /// Records what was sampled for a running sequence whose tokens are all computed.
    ///
    /// - Parameter tokens: at least one; all but the last were drafts of the step, so their keys and values are there.
    public mutating func appendTokens(_ tokens: [Int32], to id: SequenceID) {
        guard var state = sequences.removeValue(forKey: id) else {
            preconditionFailure("a token was sampled for \(id), which has ended")
        }
        precondition(state.status == .running && state.remainingTokens == 0, "a token follows the last computed one")
        precondition(
            (1...state.verifiableDrafts + 1).contains(tokens.count), "tokens that were sampled are verified drafts")
        precondition(state.tokens + tokens.count <= state.tokenLimit, "a sequence never outgrows what was admitted")
        let accepted = tokens.count - 1
        runs.sample(tokens: tokens.count)
        state.tokens += tokens.count
        state.computedTokens += accepted
        state.verifiableDrafts = 0
        if cache.prefixes != nil {
            for token in tokens { state.prefix.append(token) }
        }
        sequences[id] = state
        guard accepted > 0 else { return }
        counts.acceptedDraftTokens += UInt64(accepted)
        while counts.acceptedDraftsByPosition.count < accepted { counts.acceptedDraftsByPosition.append(0) }
        for position in 0..<accepted { counts.acceptedDraftsByPosition[position] += 1 }
        shares.charge(state.parameters.tenant, accepted * TenantShares.completionWeight)
        updateCache(id, state)
    }

    /// Ends a sequence in any state and frees its blocks at once. Nothing happens when it has ended already.
    /// O(log(running) + its lane of the queue).
    public mutating func finish(_ id: SequenceID) {
        guard let state = sequences.removeValue(forKey: id) else { return }
        switch state.status {
        case .running:
            removeRunning(id, state)
            runs.end(generatedTokens: state.tokens - state.promptTokens)
        case .waiting: waiting.remove(id, state.parameters)
        }
        shares.leave(state.parameters.tenant)
        cache.release(id, computedTokens: state.computedTokens, hashes: state.prefix.hashes)
    }

    /// Ends a sequence whose result nobody wants, and counts what was computed for it as wasted. Nothing happens when it has
    /// ended already: an abort may come late.
    public mutating func abort(_ id: SequenceID) {
        counts.wastedTokens += UInt64(sequences[id]?.work ?? 0)
        finish(id)
    }

    /// Where the sequence's keys and values lie; the tables reach over all tokens that it is scheduled for.
    public func blockTables(_ id: SequenceID) -> (global: BlockTable, sliding: BlockTable) {
        cache.blockTables(id)
    }

    /// Ends the sequences whose deadline has passed (rule 9). O(1) unless there are some.
    private mutating func expire(_ now: Duration, in batch: inout ScheduledBatch) {
        guard let earliest = earliestDeadline, earliest <= now else { return }
        batch.expired = sequences.filter { $0.value.parameters.deadline.map { $0 <= now } ?? false }.keys.sorted()
        for id in batch.expired { abort(id) }
        counts.expired += UInt64(batch.expired.count)
        earliestDeadline = sequences.values.lazy.compactMap(\.parameters.deadline).min()
    }

    /// What a sequence may grow to. Positions are of 31 bits, so that no sum of tokens or blocks overflows.
    private func tokenLimit(_ promptTokens: Int, _ maxTokens: Int) -> Int {
        let longest = min(limits.maxModelLength ?? .max, Int(Int32.max))
        return promptTokens + max(1, min(maxTokens, longest - promptTokens))
    }
}
