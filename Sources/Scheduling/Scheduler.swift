// Decides which tokens of which sequences the next step computes. It uses lengths, blocks and durations, but no tensors and no
// clock. Token ids are used only to find equal prefixes.

/// A scheduler for continuous batching with chunked prefill over a paged KV cache.
///
/// States of a sequence:
///
///     add --> waiting --admit--> running --finish, abort--> gone
///                ^                  |
///                +---- preempt -----+        (finish and abort also end a waiting one)
///
/// A step consists of `schedule`, the model's run, `advance`, `appendTokens` or `finish` for each sequence that sampled, and
/// `observe` with the time of the step. More batches may be scheduled while one runs: they are *in flight* until they advance, in
/// the same order.
///
/// Rules:
/// 1. *Rank.* A sequence with a lower priority value ranks before one with a higher value. Among sequences of equal priority, the
///    one that arrived first (the smaller id) ranks first. `running` is in order of rank.
/// 2. *Budgets.* A step computes at most `maxBatchedTokens` tokens. While sequences decode, it also takes at most the time of
///    ``PrefillPolicy``, as predicted by ``StepTimeModel``. This time is always at least 1.5 times the time of the decodes alone,
///    so that many decodes do not starve prefills. While none decodes, ``PrefillPipeline`` chooses the number of tokens.
/// 3. *Decodes* come first: every running sequence with one token to compute computes it.
/// 4. *Prefills* share the remaining budget, in chunks. The first in line is the first prefilling sequence by rank, or the next
///    waiting sequence if that one ranks before it. It computes a quarter of the step's prefill tokens, and at least `minimumChunk`
///    tokens regardless of the time budget. The rest goes to lower priority values first, then to the tenant that was served least
///    (``FairShares``), then to the prompt with the fewest remaining tokens: short prompts overtake long ones. *Bound:* from its
///    start, a prefill takes at most one step for each `minimumChunk` tokens of itself and of those that rank before it. This holds
///    if the token budget allows it, and does not include preemptions and lack of blocks.
/// 5. *Blocks.* A chunk is reduced to the available blocks: free or cached ones. If a decode or the first prefill cannot compute
///    even one token, it preempts sequences that rank after it. The last one is preempted first: the highest priority value, then
///    the newest. If there is none, it waits and keeps its blocks, which is cheaper than recomputing them. All other prefills also
///    wait.
/// 6. *Preemption* is by recomputation: the sequence frees its blocks and waits with its old rank. After it is admitted again, all
///    its tokens, including sampled ones, are prefilled unless the prefix cache has them.
/// 7. *Admission.* A sequence is admitted when its first chunk is scheduled. The order is that of ``WaitingQueue``, except that
///    rule 4 chooses among as many sequences as may still run. A step that preempts admits none. While other sequences run,
///    admission requires blocks for all tokens of the sequence, for the remaining tokens of the current prefills, and for a
///    watermark: one logical block for every running sequence, including the new one. Each sequence can then grow by `blockSize`
///    tokens before one is preempted. No sequence is admitted while the next one in the queue lacks blocks, or in a step that has
///    already admitted many logical blocks. If nothing runs, the first sequence is admitted unconditionally.
/// 8. *Drafts.* The budget that remains after decodes and prefills is used for draft tokens after a decode, which one step verifies
///    together (Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", arXiv 2211.17192). They are computed
///    like other tokens, and accepted only if they equal the sampled tokens. They preempt no sequence.
/// 9. *Deadlines.* A sequence whose deadline has passed ends before the step, in any state. A waiting sequence does not run again.
/// 10. *Progress.* `add` refuses sequences that do not fit the pool alone. The first running sequence by rank that is not deferred
///     may preempt all others after it, so it advances in every step. When it ends, the next one becomes the first. Every sequence
///     ends, unless sequences with lower priority values never stop arriving, or it is deferred forever.
/// 11. *Deferral.* A sequence whose next token cannot be sampled yet, because its mask is still being computed, is computed only up
///     to its last token and does not sample. In the queue, other sequences come before it. If it has nothing to compute, it is
///     preempted first, regardless of its rank. A sequence that lacks blocks preempts it at once. A sequence that waits for
///     admission preempts it after `deferralPatience` steps, or if nothing else can be computed. No sequence therefore waits long
///     for the mask of another one.
/// 12. *Batches in flight.* With up to m batches in flight, each batch has at most 1/m of the decodes, rounded up. A sequence in
///     flight is not preempted. It is not scheduled again, except that the next chunk of a prefill may follow.
public struct Scheduler: Sendable {
    public let limits: SchedulerLimits
    var cache: KVCacheManager
    var sequences: [SequenceID: SequenceState] = [:]
    /// The running sequences in order of rank.
    var running: [SequenceID] = []
    var waiting = WaitingQueue()
    var shares = TenantShares()
    var stepTimes: StepTimeModel
    private var pipeline: PrefillPipeline
    /// The maximum number of tokens of a step without decodes: fewer than `maxBatchedTokens` in a pipeline with few tokens to
    /// compute.
    private(set) var stepTokens: Int
    var counts = SchedulerStatistics()
    /// The maximum number of batches in flight (rule 12), at least 1. A value above 1 is useful only if the model runs several
    /// batches at once.
    public var maxBatchesInFlight = 1
    /// The time of a step in all stages of the model, relative to its time in the slowest one (rule 2), at least 1.
    public var overlap: Double {
        get { pipeline.overlap }
        set { pipeline.overlap = newValue }
    }
    private var runs = RunEstimate()
    /// The deferred sequences of the last step.
    private var sequencesDeferred: Set<SequenceID> = []
    /// A lower bound of all deadlines. The sequence with this deadline may already have ended.
    private var earliestDeadline: Duration?

    /// - Precondition: The limits are at least 1, and the geometry meets the precondition of ``KVCacheManager``.
    ///
    /// - Parameter cachesPrefixes: Whether computed logical blocks stay cached after their sequences end.
    public init(limits: SchedulerLimits, geometry: KVCacheGeometry, cachesPrefixes: Bool = true) {
        precondition(
            limits.maxSequences > 0 && limits.maxBatchedTokens > 0 && limits.maxQueuedSequences > 0
                && limits.minimumChunk > 0,
            "limits of 0 would let nothing run")
        self.limits = limits
        stepTimes = StepTimeModel(expertShare: limits.expertShare)
        stepTokens = limits.maxBatchedTokens
        pipeline = PrefillPipeline(limit: limits.maxBatchedTokens)
        cache = KVCacheManager(geometry: geometry, cachesPrefixes: cachesPrefixes)
    }

    /// Whether there is nothing to schedule, now or later.
    public var isIdle: Bool { sequences.isEmpty }

    /// The time by which deadlines must be checked next, or `nil` if there are none. No sequence's deadline is earlier.
    public var nextDeadline: Duration? { earliestDeadline }

    /// The number of sequences that `add` accepts before the queue is full.
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

    /// Returns the time in seconds until a running sequence ends, estimated from its limit and from the lengths of ended sequences.
    private func expectedEnd(_ id: SequenceID, _ prefillRate: Double?) -> Double? {
        guard let state = sequences[id] else { return nil }
        let left = runs.tokensLeft(
            generated: state.tokens - state.promptTokens, limit: state.tokenLimit - state.promptTokens)
        guard let seconds = runs.seconds(forTokens: left) else { return nil }
        guard state.isPrefill, let prefillRate, prefillRate > 0 else { return seconds }
        return seconds + Double(state.remainingTokens) / prefillRate
    }

    /// The expected time in seconds that a sequence runs, based on the mean length of ended sequences. Before the first end, it is
    /// based on the limits of the running ones.
    private var expectedRun: Double? {
        if let mean = runs.meanCompletion { return runs.seconds(forTokens: mean) }
        guard !running.isEmpty else { return nil }
        let limits = running.reduce(0.0) { sum, id in
            sum + (sequences[id].map { Double($0.tokenLimit - $0.promptTokens) } ?? 0)
        }
        return runs.seconds(forTokens: limits / Double(running.count))
    }

    /// Returns a prompt for one or more sequences that are added together. O(`ids`).
    ///
    /// - Parameters:
    ///   - ids: The token ids, at least 1.
    ///   - cacheSalt: The salt of the prefix cache. Sequences with different salts do not share cached prefixes.
    public func share(_ ids: [Int32], cacheSalt: [UInt8] = []) -> SharedPrompt {
        precondition(!ids.isEmpty, "a prompt has tokens")
        var chain = PrefixChain(cacheSalt: cacheSalt, blockSize: cache.geometry.blockSize)
        guard cache.prefixes != nil else { return SharedPrompt(tokens: ids.count, chain: chain, cachedTokens: 0) }
        for token in ids { chain.append(token) }
        let hit = cache.prefixHit(chain.hashes, tokens: ids.count)
        return SharedPrompt(tokens: ids.count, chain: chain, cachedTokens: hit.logicalBlocks * cache.geometry.blockSize)
    }

    /// Adds a sequence whose prompt is not shared.
    ///
    /// - Parameter prompt: The token ids, at least 1.
    public mutating func add(
        _ id: SequenceID, prompt: [Int32], maxTokens: Int, parameters: SchedulingParameters = SchedulingParameters(),
        cacheSalt: [UInt8] = [], takesPrefix: Bool = true
    ) throws(AdmissionError) {
        try add(
            id, prompt: share(prompt, cacheSalt: cacheSalt), maxTokens: maxTokens, parameters: parameters,
            takesPrefix: takesPrefix)
    }

    /// Adds a new sequence to the waiting queue. O(1) in the length of its prompt.
    ///
    /// - Parameters:
    ///   - id: An id that is greater than all earlier ids.
    ///   - prompt: The initial tokens of the sequence.
    ///   - maxTokens: The maximum number of tokens to sample, at least 1. The model's maximum length also limits it.
    ///   - takesPrefix: Whether to reuse the cached prefix. If false, all tokens are computed.
    /// - Throws: `neverFits` if the pool is too small for the maximum length of the sequence; `queueFull` if the queue is full.
    public mutating func add(
        _ id: SequenceID, prompt: SharedPrompt, maxTokens: Int,
        parameters: SchedulingParameters = SchedulingParameters(),
        takesPrefix: Bool = true
    ) throws(AdmissionError) {
        precondition(sequences[id] == nil, "an id names one sequence only")
        precondition(maxTokens > 0, "a sequence samples at least one token")
        let tokenLimit = tokenLimit(prompt.tokens, maxTokens)
        // The last token is sampled but not computed, because nothing is sampled after it. If the sequence runs alone, its chunks
        // shrink to fit.
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

    /// Plans the next step and allocates its blocks. Returns an empty batch if nothing can be computed.
    ///
    /// - Parameters:
    ///   - now: The time on the clock of the deadlines, not before that of an earlier step.
    ///   - drafts: The number of draft tokens offered for each sequence. They are used only if the sequence decodes.
    ///   - deferred: The sequences that cannot sample now (rule 11). Unknown ids are ignored.
    public mutating func schedule(
        now: Duration, drafts: [SequenceID: Int] = [:], deferred: Set<SequenceID> = []
    ) -> ScheduledBatch {
        var batch = ScheduledBatch()
        expire(now, in: &batch)
        let deferred = deferred.filter { sequences[$0] != nil }
        for id in sequencesDeferred.subtracting(deferred) { sequences[id]?.deferredSteps = 0 }
        for id in deferred { sequences[id]?.deferredSteps += 1 }
        sequencesDeferred = deferred
        chooseStepTokens()
        plan(&batch, drafts: drafts, deferred: deferred)
        for scheduled in batch.sequences {
            batch.work.add(scheduled.tokens, isDecode: sequences[scheduled.id]?.isPrefill == false)
            sequences[scheduled.id]?.inFlightEnd = scheduled.tokens.upperBound - scheduled.drafts
            sequences[scheduled.id]?.batchesInFlight += 1
        }
        return batch
    }

    /// Chooses the size of steps without decodes. While batches are in flight, it does not become smaller: the largest of them
    /// determines how long stages wait, and more steps would only read more weights. O(running + sequences that may still run).
    private mutating func chooseStepTokens() {
        guard overlap > 1 else {
            stepTokens = limits.maxBatchedTokens
            return
        }
        let waiting = waiting.prefix(limits.maxRunning - running.count, shares)
        var tokens = 0
        for id in running + waiting {
            guard let state = sequences[id] else { continue }
            let remaining = state.tokens - (state.status == .running ? state.computedTokens : state.expectedHit)
            if remaining > 1 { tokens += remaining }
        }
        let chosen = pipeline.stepTokens(of: tokens)
        stepTokens = running.contains(where: isInFlight) ? max(stepTokens, chosen) : chosen
    }

    /// Records that the step of `batch` ran: its tokens are in the cache, and blocks that left the window are freed. Sequences
    /// that ended in the meantime are skipped.
    ///
    /// - Parameter deferring: The sequences of the batch that should have sampled but cannot. Their last token counts as not
    ///   computed. A later step computes it again, with the same result.
    public mutating func advance(_ batch: ScheduledBatch, deferring: Set<SequenceID> = []) {
        for scheduled in batch.sequences {
            guard var state = sequences[scheduled.id] else { continue }
            precondition(state.computedTokens == scheduled.tokens.lowerBound, "a batch advances once, before the next")
            let isDeferred = scheduled.samples && deferring.contains(scheduled.id)
            state.computedTokens = scheduled.tokens.upperBound - scheduled.drafts - (isDeferred ? 1 : 0)
            state.batchesInFlight -= 1
            if state.batchesInFlight == 0 { state.inFlightEnd = nil }
            state.verifiableDrafts = isDeferred ? 0 : scheduled.drafts
            state.work += scheduled.tokens.count
            let charged = max(state.chargedTokens, min(state.computedTokens, state.promptTokens))
            let firstCharged = max(state.chargedTokens, scheduled.tokens.lowerBound)
            shares.charge(state.parameters.tenant, max(0, charged - firstCharged) * TenantShares.promptWeight)
            // A deferred token is computed twice because of the sequence's own grammar, so its tenant is charged for both
            // computations.
            if scheduled.samples { shares.charge(state.parameters.tenant, TenantShares.completionWeight) }
            state.chargedTokens = charged
            if state.verifiableDrafts > 0 { counts.drafts += 1 }
            counts.draftTokens += UInt64(state.verifiableDrafts)
            sequences[scheduled.id] = state
            updateCache(scheduled.id, state)
        }
    }

    /// Adds newly full computed logical blocks to the index, and frees those that left the window.
    private mutating func updateCache(_ id: SequenceID, _ state: SequenceState) {
        let hashes = state.prefix.hashes
        cache.cache(id, computedTokens: state.computedTokens, hashes: hashes)
        cache.freeOutsideWindow(id, nextQuery: state.computedTokens, hashes: hashes)
    }

    /// Records the time of a step with `work`, including sampling.
    ///
    /// - Parameter compute: The time in all stages together, without waits, if the model has several.
    public mutating func observe(_ work: StepWork, took time: Duration, computing compute: Duration? = nil) {
        stepTimes.observe(work, took: time)
        if let compute { pipeline.observe(work, took: compute) }
        runs.observe(work, took: time)
    }

    /// Records the sampled tokens of a running sequence whose tokens are all computed.
    ///
    /// - Parameter tokens: The sampled tokens, at least one. All but the last were drafts of the step, so their keys and values are
    ///   in the cache.
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

    /// Ends a sequence in any state and frees its blocks at once. Has no effect if it has already ended. O(log(running) + its lane
    /// of the queue).
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

    /// Aborts a sequence and counts its computed tokens as wasted. Has no effect if it has already ended, because an abort may
    /// arrive late.
    public mutating func abort(_ id: SequenceID) {
        counts.wastedTokens += UInt64(sequences[id]?.work ?? 0)
        finish(id)
    }

    /// Whether a sequence has computed its prompt. O(running).
    public var isDecoding: Bool {
        running.contains { id in sequences[id].map { $0.tokens - $0.computedTokens <= 1 } ?? false }
    }

    /// Returns whether a batch that has not yet advanced computes tokens of the sequence.
    public func isInFlight(_ id: SequenceID) -> Bool { sequences[id]?.inFlightEnd != nil }

    /// Returns the block tables of the sequence. They cover all of its scheduled tokens.
    public func blockTables(_ id: SequenceID) -> (global: BlockTable, sliding: BlockTable) {
        cache.blockTables(id)
    }

    /// Ends the sequences whose deadline has passed (rule 9). O(1) unless there are any.
    private mutating func expire(_ now: Duration, in batch: inout ScheduledBatch) {
        guard let earliest = earliestDeadline, earliest <= now else { return }
        batch.expired = sequences.filter { $0.value.parameters.deadline.map { $0 <= now } ?? false }.keys.sorted()
        for id in batch.expired { abort(id) }
        counts.expired += UInt64(batch.expired.count)
        earliestDeadline = sequences.values.lazy.compactMap(\.parameters.deadline).min()
    }

    /// Returns the maximum length of a sequence. Positions have 31 bits, so that no sum of tokens or blocks overflows.
    private func tokenLimit(_ promptTokens: Int, _ maxTokens: Int) -> Int {
        let longest = min(limits.maxModelLength ?? .max, Int(Int32.max))
        return promptTokens + max(1, min(maxTokens, longest - promptTokens))
    }
}
