// Decides which tokens of which sequences the next step computes. Knows lengths and blocks; never a token id or a tensor.

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
/// 3. *Blocks.* A chunk shrinks to what the free blocks hold. A sequence that cannot compute even one token preempts
///    those that arrived later, the youngest first; when there is none, it waits where it is and keeps its blocks, which is
///    cheaper than computing them again. A decode is treated like a chunk of one.
/// 4. *Preemption* is by recompute: the blocks are freed, the sequence goes to the front of the waiting queue, and all its
///    tokens, sampled ones too, are prefilled once it is admitted again.
/// 5. *Admission* is first come, first served. While others run it asks for the blocks of all the sequence's tokens, and
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

    /// - Precondition: limits of at least 1, and a geometry that ``KVCacheManager`` takes.
    public init(limits: SchedulerLimits, geometry: KVCacheGeometry) {
        precondition(
            limits.maxSequences > 0 && limits.maxBatchedTokens > 0 && limits.maxQueuedSequences > 0,
            "limits of 0 would let nothing run")
        self.limits = limits
        cache = KVCacheManager(geometry: geometry)
    }

    /// Whether there is nothing to schedule, now or later.
    public var isIdle: Bool { sequences.isEmpty }

    /// How many more sequences `add` takes before the queue is full.
    public var queueRoom: Int { max(0, limits.maxQueuedSequences - waiting.count) }

    public var statistics: SchedulerStatistics {
        SchedulerStatistics(
            running: running.count, waiting: waiting.count, totalBlocks: cache.geometry.totalBlocks,
            freeBlocks: cache.freeBlocks, globalBlocks: cache.globalBlocks, slidingBlocks: cache.slidingBlocks,
            preemptions: preemptions)
    }

    /// Puts a new sequence at the end of the waiting queue.
    ///
    /// - Parameters:
    ///   - promptTokens: at least 1.
    ///   - maxTokens: the most tokens that will be sampled, at least 1; cut to the model's length.
    /// - Throws: `neverFits` when the pool is too small for its greatest length; `queueFull` when the queue is full.
    public mutating func add(_ id: SequenceID, promptTokens: Int, maxTokens: Int) throws(AdmissionError) {
        precondition(sequences[id] == nil, "an id names one sequence only")
        precondition(promptTokens > 0 && maxTokens > 0, "a sequence has a prompt and samples at least one token")
        let state = SequenceState(tokens: promptTokens, tokenLimit: tokenLimit(promptTokens, maxTokens))
        // The last token is sampled, but nothing is sampled after it: it is never computed. Alone, a chunk shrinks to fit.
        let needed = cache.geometry.peakBlocks(tokens: state.tokenLimit - 1, chunk: 1)
        guard needed <= cache.geometry.totalBlocks else {
            throw .neverFits(needed: needed, pool: cache.geometry.totalBlocks)
        }
        guard queueRoom > 0 else { throw .queueFull(limit: limits.maxQueuedSequences) }
        sequences[id] = state
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
        // Who was just preempted does not come back here: part of what it freed is taken, and it needs all of it.
        admitWaiting(budget: &budget, in: &batch)
        return batch
    }

    /// Records that the step of `batch` ran: its tokens are in the cache, and blocks that left the window are freed.
    /// Sequences that ended meanwhile are passed over.
    public mutating func advance(_ batch: ScheduledBatch) {
        for scheduled in batch.sequences {
            guard var state = sequences[scheduled.id] else { continue }
            precondition(state.computedTokens == scheduled.tokens.lowerBound, "a batch advances once, before the next")
            state.computedTokens = scheduled.tokens.upperBound
            sequences[scheduled.id] = state
            cache.freeOutsideWindow(scheduled.id, nextQuery: state.computedTokens)
        }
    }

    /// Records that a token was sampled for a running sequence whose tokens are all computed.
    public mutating func appendToken(_ id: SequenceID) {
        guard var state = sequences[id] else { preconditionFailure("a token was sampled for \(id), which has ended") }
        precondition(state.status == .running && state.remainingTokens == 0, "a token follows the last computed one")
        precondition(state.tokens < state.tokenLimit, "a sequence never outgrows what was admitted")
        state.tokens += 1
        sequences[id] = state
    }

    /// Ends a sequence in any state and frees its blocks at once. Nothing happens when it has ended already: an abort may
    /// come late. O(running + waiting).
    public mutating func finish(_ id: SequenceID) {
        guard let state = sequences.removeValue(forKey: id) else { return }
        switch state.status {
        case .running: running.removeAll { $0 == id }
        case .waiting: waiting.removeAll { $0 == id }
        }
        cache.release(id)
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

    /// Frees the blocks of the youngest running sequence and lets it wait at the front (rule 4).
    private mutating func preempt(_ id: SequenceID, in batch: inout ScheduledBatch) {
        running.removeLast()
        waiting.prepend(id)
        sequences[id]?.status = .waiting
        sequences[id]?.computedTokens = 0
        cache.release(id)
        preemptions += 1
        batch.preempted.append(id)
    }

    private mutating func admitWaiting(budget: inout Int, in batch: inout ScheduledBatch) {
        while budget > 0, running.count < limits.maxSequences,
            let id = waiting.first, var state = sequences[id], canAdmit(state)
        {
            waiting.removeFirst()
            running.append(id)
            if !state.wasAdmitted { batch.admitted.append(id) }
            state.wasAdmitted = true
            state.status = .running
            sequences[id] = state
            scheduleTokens(of: id, budget: &budget, in: &batch)
        }
    }

    /// Whether the free blocks hold all tokens of a waiting sequence and the watermark (rule 5).
    private func canAdmit(_ state: SequenceState) -> Bool {
        if running.isEmpty { return true }
        let needed = cache.geometry.peakBlocks(tokens: state.tokens, chunk: limits.maxBatchedTokens)
        let watermark = (running.count + 1) * cache.geometry.blocksPerSlot
        return needed + watermark <= cache.freeBlocks
    }

    /// What a sequence may grow to. Positions are of 31 bits, so that no sum of tokens or blocks overflows.
    private func tokenLimit(_ promptTokens: Int, _ maxTokens: Int) -> Int {
        let longest = min(limits.maxModelLength ?? .max, Int(Int32.max))
        return promptTokens + max(1, min(maxTokens, longest - promptTokens))
    }
}
