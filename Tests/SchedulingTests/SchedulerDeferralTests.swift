import Scheduling
import Testing

/// Sequences that cannot sample when they should: they wait, and other sequences do not.
@Suite struct SchedulerDeferralTests {
    private let one = SequenceID(1)
    private let two = SequenceID(2)
    private let three = SequenceID(3)

    /// One step; the sequences in `late` become deferred after the model has run.
    @discardableResult private func step(
        _ scheduler: inout Scheduler, deferred: Set<SequenceID> = [], late: Set<SequenceID> = []
    ) -> ScheduledBatch {
        let batch = scheduler.schedule(now: .zero, deferred: deferred)
        scheduler.advance(batch, deferring: late)
        for entry in batch.sequences where entry.samples && !late.contains(entry.id) { scheduler.appendToken(entry.id) }
        #expect(scheduler.violatedInvariant() == nil)
        return batch
    }

    @Test func `a deferred prompt is computed up to its last token`() throws {
        var scheduler = makeScheduler()
        try scheduler.add(one, promptTokens: 10, maxTokens: 5)
        step(&scheduler, late: [one])
        #expect(step(&scheduler, deferred: [one]) == ScheduledBatch())
        let batch = step(&scheduler)
        #expect(batch.ranges == [one: 9..<10] && batch.sequences[0].samples)
    }

    @Test func `a late decode is computed again, and others continue in the meantime`() throws {
        var scheduler = makeScheduler()
        try scheduler.add(one, promptTokens: 3, maxTokens: 9)
        try scheduler.add(two, promptTokens: 3, maxTokens: 9)
        step(&scheduler)
        step(&scheduler, late: [one])
        #expect(step(&scheduler, deferred: [one]).ranges == [two: 4..<5])
        #expect(step(&scheduler).ranges == [one: 3..<4, two: 5..<6])
    }

    @Test func `a sequence that lacks blocks preempts a deferred one of any rank`() throws {
        // Logical blocks of 4 tokens, two blocks each: the pool holds four logical blocks.
        var scheduler = makeScheduler(window: 100, totalBlocks: 8)
        try scheduler.add(one, promptTokens: 4, maxTokens: 12, priority: -1)
        try scheduler.add(two, promptTokens: 4, maxTokens: 12)
        step(&scheduler)
        step(&scheduler, late: [one])
        for _ in 0..<3 { step(&scheduler, deferred: [one]) }
        // Its third logical block is the pool's last; the fourth one would not fit.
        var preempted: [SequenceID] = []
        for _ in 0..<6 { preempted += step(&scheduler, deferred: [one]).preempted }
        #expect(preempted == [one])
        scheduler.finish(two)
        #expect(step(&scheduler, deferred: [one]).sequences.isEmpty)
        #expect(step(&scheduler).ranges[one] == 0..<5)
    }

    @Test(arguments: [true, false])
    func `a deferred sequence is preempted for a waiting one: at once if nothing else runs, otherwise after some steps`(
        isAlone: Bool
    ) throws {
        var scheduler = makeScheduler(maxSequences: isAlone ? 1 : 2)
        try scheduler.add(one, promptTokens: 3, maxTokens: 30)
        if !isAlone { try scheduler.add(two, promptTokens: 3, maxTokens: 30) }
        step(&scheduler)
        step(&scheduler, late: [one])
        try scheduler.add(three, promptTokens: 3, maxTokens: 30)
        var steps = 0
        while scheduler.statistics.preemptions == 0, steps < 20 {
            step(&scheduler, deferred: [one])
            steps += 1
        }
        #expect(isAlone ? steps == 1 : (5...15).contains(steps), "\(steps)")
        #expect(step(&scheduler, deferred: [one]).ranges[three] != nil)
    }
}
