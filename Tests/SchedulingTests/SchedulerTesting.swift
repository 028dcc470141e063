// Helpers of the scheduler's suites.

import Scheduling
import Testing

/// A scheduler over logical blocks of 4 tokens, one block in each group.
func makeScheduler(
    maxSequences: Int = 8, maxBatchedTokens: Int = 64, maxQueuedSequences: Int = 8, window: Int = 8,
    totalBlocks: Int = 100, maxModelLength: Int? = nil, cachesPrefixes: Bool = false,
    prefillPolicy: PrefillPolicy = .unbounded, expertShare: Double = 1, minimumChunk: Int = 4
) -> Scheduler {
    var limits = SchedulerLimits(
        maxSequences: maxSequences, maxBatchedTokens: maxBatchedTokens, maxQueuedSequences: maxQueuedSequences,
        maxModelLength: maxModelLength, prefillPolicy: prefillPolicy)
    limits.expertShare = expertShare
    limits.minimumChunk = minimumChunk
    return Scheduler(
        limits: limits,
        geometry: KVCacheGeometry(
            blockSize: 4, globalBlocksPerLogicalBlock: 1, slidingBlocksPerLogicalBlock: 1, slidingWindow: window,
            totalBlocks: totalBlocks),
        cachesPrefixes: cachesPrefixes)
}

extension Scheduler {
    /// Adds a sequence with arbitrary tokens.
    mutating func add(
        _ id: SequenceID, promptTokens: Int, maxTokens: Int, priority: Int = 0, tenant: String = "",
        deadline: Duration? = nil
    ) throws(AdmissionError) {
        try add(
            id, prompt: Array(repeating: 0, count: promptTokens), maxTokens: maxTokens,
            parameters: SchedulingParameters(priority: priority, tenant: tenant, deadline: deadline))
    }

    /// For tests in which time does not matter.
    mutating func schedule() -> ScheduledBatch { schedule(now: .zero) }

    mutating func appendToken(_ id: SequenceID) {
        appendTokens([0], to: id)
    }
}

/// One step in which every sampling sequence continues.
@discardableResult
func run(_ scheduler: inout Scheduler) -> ScheduledBatch {
    let batch = scheduler.schedule()
    scheduler.advance(batch)
    for sequence in batch.sequences where sequence.samples { scheduler.appendToken(sequence.id) }
    #expect(scheduler.violatedInvariant() == nil)
    return batch
}

extension ScheduledBatch {
    var admittedIDs: [SequenceID] { admitted.map(\.id) }

    var ranges: [SequenceID: Range<Int>] {
        Dictionary(uniqueKeysWithValues: sequences.map { ($0.id, $0.tokens) })
    }
}
