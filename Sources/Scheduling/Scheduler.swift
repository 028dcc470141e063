// Decides which tokens of which sequences the next step computes. Knows lengths and blocks, never a tensor; token ids only
// as what tells equal prefixes.

import DequeModule

/// Continuous batching with chunked prefill over a paged cache.
///
/// States of a sequence:
///
///     add --> waiting --admit--> running --finish--> gone
///                ^                  |
///                +---- preempt -----+        (finish also ends a waiting one)
///
/// One step is `schedule`, the model's run, `advance`, then `appendToken` or `finish` for each sequence that sampled.
///
/// Rules:
/// 1. *Order.* Sequences are admitted in order of arrival and preempted in the opposite order. So all running ones arrived
///    before all waiting ones, the last of `running` is the youngest and the first of `waiting` is the next.
/// 2. *Budget.* A step computes at most `maxBatchedTokens` tokens: one for each decode; what is left goes to the prefill
///    under way, in a chunk, and then to admissions, several a step. Only the youngest can be in the middle of its
///    prefill, for nobody is admitted after one that the budget cut short; walking `running` in order of arrival
///    therefore serves the decodes first. Nobody is admitted without budget to spare, so it reaches all that run.
/// 3. *Blocks.* A chunk shrinks to what the available blocks hold: those that are free or cached. A sequence that cannot compute even one token preempts
///    those that arrived later, the youngest first; when there is none, it waits where it is and keeps its blocks, which is
///    cheaper than computing them again. A decode is treated like a chunk of one.
/// 4. *Preemption* is by recompute: the sequence lets go of its blocks and goes to the front of the waiting queue; once it is
///    admitted again all its tokens, sampled ones too, are prefilled that the prefix cache has not kept.
/// 5. *Admission* is first come, first served, and not in a step that preempts. While others run it asks for the blocks of all the sequence's tokens, and
///    for a watermark beyond them: one slot for every running sequence, the new one included. Each can then grow by
///    `blockSize` tokens before one is preempted. When nothing runs, the first is admitted without conditions.
/// 6. *Progress.* `add` refuses what the pool cannot hold alone, so the oldest running sequence, which may preempt all
///    others, advances in every step; when it ends, the next is the oldest. Every sequence ends.
public struct Scheduler: Sendable {
    public let limits: SchedulerLimits
    private(set) var cache: KVCacheManager
    private(set) var sequences: [SequenceID: SequenceState] = [:]
    /// In order of arrival.
    private(set) var running: [SequenceID] = []
    /// In order of arrival, all after `running`.
    private(set) var waiting: Deque<SequenceID> = []
    private var preemptions: UInt64 = 0
    private var prefixQueries: UInt64 = 0
    private var prefixHits: UInt64 = 0

    /// - Precondition: limits of at least 1, and a geometry that ``KVCacheManager`` takes.
    ///
    /// - Parameter cachesPrefixes: whether computed slots outlive their sequences.
    public init(limits: SchedulerLimits, geometry: KVCacheGeometry, cachesPrefixes: Bool = true) {
        precondition(
            limits.maxSequences > 0 && limits.maxBatchedTokens > 0 && limits.maxQueuedSequences > 0,
            "limits of 0 would let nothing run")
        self.limits = limits
        cache = KVCacheManager(geometry: geometry, cachesPrefixes: cachesPrefixes)
    }

    /// Whether there is nothing to schedule, now or later.
    public var isIdle: Bool { sequences.isEmpty }

    /// How many more sequences `add` takes before the queue is full.
    public var queueRoom: Int { max(0, limits.maxQueuedSequences - waiting.count) }

    public var statistics: SchedulerStatistics {
        SchedulerStatistics(
            running: running.count, waiting: waiting.count, totalBlocks: cache.geometry.totalBlocks,
            freeBlocks: cache.freeBlocks, cachedBlocks: cache.cachedBlocks, globalBlocks: cache.globalBlocks,
            slidingBlocks: cache.slidingBlocks, preemptions: preemptions, prefixQueries: prefixQueries,
            prefixHits: prefixHits)
    }

    /// Puts a new sequence at the end of the waiting queue.
    ///
    /// - Parameters:
    ///   - prompt: token ids, at least 1.
    ///   - maxTokens: the most tokens that will be sampled, at least 1; cut to the model's length.
    ///   - salt: sequences of different salts share no cached prefix.
    ///   - takesPrefix: whether it begins with what the prefix cache has of it; when not, all its tokens are computed.
    /// - Throws: `neverFits` when the pool is too small for its greatest length; `queueFull` when the queue is full.
    public mutating func add(
        _ id: SequenceID, prompt: [Int32], maxTokens: Int, salt: [UInt8] = [], takesPrefix: Bool = true
    ) throws(AdmissionError) {
        precondition(sequences[id] == nil, "an id names one sequence only")
        precondition(!prompt.isEmpty && maxTokens > 0, "a sequence has a prompt and samples at least one token")
        let tokenLimit = tokenLimit(prompt.count, maxTokens)
        // The last token is sampled, but nothing is sampled after it: it is never computed. Alone, a chunk shrinks to fit.
        let needed = cache.geometry.peakBlocks(tokens: tokenLimit - 1, chunk: 1)
        guard needed <= cache.geometry.totalBlocks else {
            throw .neverFits(needed: needed, pool: cache.geometry.totalBlocks)
        }
        guard queueRoom > 0 else { throw .queueFull(limit: limits.maxQueuedSequences) }
        var prefix = PrefixChain(salt: salt, blockSize: cache.geometry.blockSize)
        if cache.prefixes != nil {
            for token in prompt { prefix.append(token) }
        }
        sequences[id] = SequenceState(
            tokens: prompt.count, tokenLimit: tokenLimit, prefix: prefix, takesPrefix: takesPrefix)
        waiting.append(id)
    }

    /// Plans the next step and allocates its blocks. Empty when nothing can be computed. O(running + admitted).
    public mutating func schedule() -> ScheduledBatch {
        var batch = ScheduledBatch()
        var budget = limits.maxBatchedTokens
        var index = 0
        while index < running.count {  // preemption shortens `running` from the end
            scheduleTokens(of: running[index], budget: &budget, in: &batch)
            index += 1
        }
        // Who was just preempted does not come back at once.
        if batch.preempted.isEmpty { admitWaiting(budget: &budget, in: &batch) }
        return batch
    }

    /// Records that the step of `batch` ran: its tokens are in the cache, and blocks that left the window are let go of.
    /// Sequences that ended meanwhile are passed over.
    public mutating func advance(_ batch: ScheduledBatch) {
        for scheduled in batch.sequences {
            guard var state = sequences[scheduled.id] else { continue }
            precondition(state.computedTokens == scheduled.tokens.lowerBound, "a batch advances once, before the next")
            state.computedTokens = scheduled.tokens.upperBound
            sequences[scheduled.id] = state
            let hashes = state.prefix.hashes
            cache.cache(scheduled.id, computedTokens: state.computedTokens, hashes: hashes)
            cache.freeOutsideWindow(scheduled.id, nextQuery: state.computedTokens, hashes: hashes)
        }
    }

    /// Records that `token` was sampled for a running sequence whose tokens are all computed.
    public mutating func appendToken(_ token: Int32, to id: SequenceID) {
        guard var state = sequences.removeValue(forKey: id) else {
            preconditionFailure("a token was sampled for \(id), which has ended")
        }
        precondition(state.status == .running && state.remainingTokens == 0, "a token follows the last computed one")
        precondition(state.tokens < state.tokenLimit, "a sequence never outgrows what was admitted")
        state.tokens += 1
        if cache.prefixes != nil { state.prefix.append(token) }
        sequences[id] = state
    }

    /// Ends a sequence in any state and lets go of its blocks at once. Nothing happens when it has ended already: an abort may
    /// come late. O(running + waiting).
    public mutating func finish(_ id: SequenceID) {
        guard let state = sequences.removeValue(forKey: id) else { return }
        switch state.status {
        case .running: running.removeAll { $0 == id }
        case .waiting: waiting.removeAll { $0 == id }
        }
        cache.release(id, computedTokens: state.computedTokens, hashes: state.prefix.hashes)
    }

    /// Where the sequence's keys and values lie; the tables reach over all tokens that it is scheduled for.
    public func blockTables(_ id: SequenceID) -> (global: BlockTable, sliding: BlockTable) {
        cache.blockTables(id)
    }
}

extension Scheduler {
    /// Schedules as many of a running sequence's tokens as budget and blocks allow (rules 2 and 3).
    ///
    ///     0 ........ computedTokens ........ end ........ tokens
    ///     | in the cache   | this step's chunk | later    |
    private mutating func scheduleTokens(of id: SequenceID, budget: inout Int, in batch: inout ScheduledBatch) {
        guard let state = sequences[id] else { preconditionFailure("a running sequence is known") }
        let start = state.computedTokens
        let wanted = min(state.remainingTokens, budget)
        guard wanted > 0 else { return }  // its next token is not sampled yet
        while !cache.canAllocate(id, upTo: start + 1), let youngest = running.last, youngest != id {
            preempt(youngest, in: &batch)
        }
        let end = min(start + wanted, cache.allocatableTokens(id))
        guard end > start else { return }
        cache.allocate(id, upTo: end)
        budget -= end - start
        batch.sequences.append(ScheduledSequence(id: id, tokens: start..<end, samples: end == state.tokens))
    }

    /// Takes the blocks from the youngest running sequence and lets it wait at the front (rule 4).
    private mutating func preempt(_ id: SequenceID, in batch: inout ScheduledBatch) {
        guard var state = sequences[id] else { preconditionFailure("a running sequence is known") }
        running.removeLast()
        waiting.prepend(id)
        cache.release(id, computedTokens: state.computedTokens, hashes: state.prefix.hashes)
        state.status = .waiting
        state.computedTokens = 0
        sequences[id] = state
        preemptions += 1
        batch.preempted.append(id)
    }

    private mutating func admitWaiting(budget: inout Int, in batch: inout ScheduledBatch) {
        while budget > 0, running.count < limits.maxSequences, let id = waiting.first, var state = sequences[id] {
            let hit =
                state.takesPrefix
                ? cache.prefixHit(state.prefix.hashes, tokens: state.tokens) : KVCacheManager.PrefixHit()
            guard canAdmit(state, hit) else { return }
            waiting.removeFirst()
            running.append(id)
            cache.start(id, hit: hit, hashes: state.prefix.hashes)
            state.computedTokens = hit.slots * cache.geometry.blockSize
            if !state.wasAdmitted {
                batch.admitted.append(AdmittedSequence(id: id, cachedTokens: state.computedTokens))
                if cache.prefixes != nil, state.takesPrefix { prefixQueries += UInt64(state.tokens) }
                prefixHits += UInt64(state.computedTokens)
            }
            state.wasAdmitted = true
            state.status = .running
            sequences[id] = state
            scheduleTokens(of: id, budget: &budget, in: &batch)
        }
    }

    /// Whether the available blocks hold all tokens of a waiting sequence and the watermark (rule 5).
    private func canAdmit(_ state: SequenceState, _ hit: KVCacheManager.PrefixHit) -> Bool {
        if running.isEmpty { return true }
        let needed = cache.geometry.peakBlocks(tokens: state.tokens, chunk: limits.maxBatchedTokens)
        let watermark = (running.count + 1) * cache.geometry.blocksPerSlot
        return needed - hit.sharedBlocks + watermark <= cache.availableBlocks
    }

    /// What a sequence may grow to. Positions are of 31 bits, so that no sum of tokens or blocks overflows.
    private func tokenLimit(_ promptTokens: Int, _ maxTokens: Int) -> Int {
        let longest = min(limits.maxModelLength ?? .max, Int(Int32.max))
        return promptTokens + max(1, min(maxTokens, longest - promptTokens))
    }
}
