import Scheduling
import Testing

/// Logical blocks of 4 tokens take 2 blocks, and windows are so large that nothing is freed before the end.
@Suite struct SchedulerPreemptionTests {
    private let a = SequenceID(1)
    private let b = SequenceID(2)
    private let c = SequenceID(3)

    /// `a` and `b` with two full logical blocks each, before decoding the ninth token, and no free block.
    private func makeFullPool() throws -> Scheduler {
        var scheduler = makeScheduler(window: 100, totalBlocks: 8)
        try scheduler.add(a, promptTokens: 1, maxTokens: 16)
        try scheduler.add(b, promptTokens: 1, maxTokens: 16)
        for _ in 0..<8 { run(&scheduler) }
        #expect(scheduler.statistics.freeBlocks == 0 && scheduler.statistics.preemptions == 0)
        return scheduler
    }

    @Test func `a decode without a block preempts the newest sequence, which waits at the front`() throws {
        var scheduler = try makeFullPool()
        try scheduler.add(c, promptTokens: 1, maxTokens: 1)
        let batch = run(&scheduler)
        #expect(batch.preempted == [b])
        #expect(batch.ranges == [a: 8..<9])
        #expect(scheduler.statistics.running == 1 && scheduler.statistics.waiting == 2)
        scheduler.finish(a)
        #expect(run(&scheduler).sequences.map(\.id) == [b])
    }

    @Test func `a preempted sequence computes all its tokens again and is not admitted twice`() throws {
        var scheduler = try makeFullPool()
        run(&scheduler)
        scheduler.finish(a)
        let batch = run(&scheduler)
        #expect(batch.sequences == [ScheduledSequence(id: b, tokens: 0..<9, samples: true)])
        #expect(batch.admitted.isEmpty)
        #expect(scheduler.statistics.preemptions == 1)
    }

    @Test func `the newest sequence without a block waits and keeps its blocks`() throws {
        var scheduler = makeScheduler(window: 100, totalBlocks: 8)
        try scheduler.add(a, promptTokens: 2, maxTokens: 14)
        try scheduler.add(b, promptTokens: 3, maxTokens: 13)
        for _ in 0..<6 { run(&scheduler) }
        // a has computed 7 of the 8 tokens of its two logical blocks, b all 8.
        let batch = run(&scheduler)
        #expect(batch.ranges == [a: 7..<8])
        #expect(batch.preempted.isEmpty && scheduler.statistics.running == 2)
        scheduler.finish(a)
        #expect(run(&scheduler).ranges == [b: 8..<9])
    }

    @Test func `a sequence in the middle of its prefill can be preempted`() throws {
        // Four decodes leave one token per step for the prompt of the fifth; they grow past the watermark before its end.
        var scheduler = makeScheduler(maxBatchedTokens: 5, window: 100, totalBlocks: 24)
        for id in 1...4 { try scheduler.add(SequenceID(UInt64(id)), promptTokens: 1, maxTokens: 30) }
        run(&scheduler)
        let long = SequenceID(5)
        try scheduler.add(long, promptTokens: 12, maxTokens: 1)
        var computed = 0
        var batch = run(&scheduler)
        while batch.preempted.isEmpty {
            computed = batch.ranges[long]?.upperBound ?? computed
            batch = run(&scheduler)
        }
        #expect(batch.preempted == [long])
        #expect((1..<12).contains(computed))
        #expect(batch.sequences.count == 4)
    }

    @Test func `many sequences that outgrow the pool recompute little`() throws {
        // Sixteen sequences of 8 + 56 tokens; the pool holds four of them at their full length.
        var scheduler = makeScheduler(maxSequences: 16, maxQueuedSequences: 16, window: 1000, totalBlocks: 4 * 32)
        for id in 1...16 { try scheduler.add(SequenceID(UInt64(id)), promptTokens: 8, maxTokens: 56) }
        var (computed, steps) = (0, 0)
        var sampled: [SequenceID: Int] = [:]
        while !scheduler.isIdle {
            let batch = scheduler.schedule()
            computed += batch.tokenCount
            steps += 1
            scheduler.advance(batch)
            for scheduled in batch.sequences where scheduled.samples {
                sampled[scheduled.id, default: 0] += 1
                if sampled[scheduled.id] == 56 {
                    scheduler.finish(scheduled.id)
                } else {
                    scheduler.appendToken(scheduled.id)
                }
            }
        }
        #expect(scheduler.statistics.preemptions > 0)
        // All of them are 16 * 63 tokens, the last of each not computed.
        #expect(computed < 16 * 63 * 8 / 5 && scheduler.statistics.preemptions < 20, "\(computed)")
        #expect(steps < 56 * 16 / 3, "\(steps)")
    }

    @Test func `admission leaves a logical block for every running sequence`() throws {
        for (totalBlocks, isAdmitted) in [(9, false), (10, true)] {
            // a holds two blocks, b needs four; the watermark is two logical blocks of two blocks.
            var scheduler = makeScheduler(window: 100, totalBlocks: totalBlocks)
            try scheduler.add(a, promptTokens: 3, maxTokens: 8)
            run(&scheduler)
            try scheduler.add(b, promptTokens: 8, maxTokens: 4)
            #expect(run(&scheduler).admittedIDs == (isAdmitted ? [b] : []), "\(totalBlocks) blocks")
        }
    }

    @Test func `a sequence is admitted when the blocks of its whole first chunk are free`() throws {
        for (totalBlocks, isAdmitted) in [(13, false), (14, true)] {
            // a holds two blocks, the watermark is four; b needs eight, although its window will soon need fewer.
            var scheduler = makeScheduler(window: 4, totalBlocks: totalBlocks)
            try scheduler.add(a, promptTokens: 1, maxTokens: 4)
            run(&scheduler)
            try scheduler.add(b, promptTokens: 16, maxTokens: 4)
            #expect(run(&scheduler).ranges[b] == (isAdmitted ? 0..<16 : nil), "\(totalBlocks) blocks")
        }
    }

    @Test func `a sequence that has nothing to compute preempts no other`() throws {
        var scheduler = makeScheduler(window: 100, totalBlocks: 8)
        try scheduler.add(a, promptTokens: 1, maxTokens: 16)
        try scheduler.add(b, promptTokens: 1, maxTokens: 16)
        for _ in 0..<7 { run(&scheduler) }
        scheduler.advance(scheduler.schedule())
        scheduler.appendToken(b)
        // a fills its two logical blocks and has no further token; b needs a third logical block, and none is free.
        #expect(run(&scheduler) == ScheduledBatch())
        scheduler.appendToken(a)
        #expect(run(&scheduler).preempted == [b])
    }

    @Test func `no sequence overtakes a waiting one that lacks blocks`() throws {
        var scheduler = makeScheduler(window: 100, totalBlocks: 12)
        try scheduler.add(a, promptTokens: 8, maxTokens: 8)
        try scheduler.add(b, promptTokens: 16, maxTokens: 4)
        try scheduler.add(c, promptTokens: 1, maxTokens: 1)
        #expect(run(&scheduler).admittedIDs == [a])
        scheduler.finish(a)
        #expect(run(&scheduler).admittedIDs == [b])
    }
}
