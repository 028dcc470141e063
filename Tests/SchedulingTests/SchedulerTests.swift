import Scheduling
import Testing

@Suite struct SchedulerTests {
    private let a = SequenceID(1)
    private let b = SequenceID(2)
    private let c = SequenceID(3)

    @Test func `a prompt is prefilled in chunks of the budget and samples only at its end`() throws {
        var scheduler = makeScheduler(maxBatchedTokens: 4)
        try scheduler.add(a, promptTokens: 10, maxTokens: 5)
        #expect(run(&scheduler).sequences == [ScheduledSequence(id: a, tokens: 0..<4, samples: false)])
        #expect(run(&scheduler).sequences == [ScheduledSequence(id: a, tokens: 4..<8, samples: false)])
        #expect(run(&scheduler).sequences == [ScheduledSequence(id: a, tokens: 8..<10, samples: true)])
        #expect(run(&scheduler).sequences == [ScheduledSequence(id: a, tokens: 10..<11, samples: true)])
    }

    @Test func `decodes come first and prefill takes what is left of the budget`() throws {
        var scheduler = makeScheduler(maxBatchedTokens: 6)
        try scheduler.add(a, promptTokens: 2, maxTokens: 5)
        try scheduler.add(b, promptTokens: 2, maxTokens: 5)
        run(&scheduler)
        try scheduler.add(c, promptTokens: 9, maxTokens: 5)
        #expect(run(&scheduler).ranges == [a: 2..<3, b: 2..<3, c: 0..<4])
        #expect(run(&scheduler).ranges == [a: 3..<4, b: 3..<4, c: 4..<8])
        #expect(run(&scheduler).ranges == [a: 4..<5, b: 4..<5, c: 8..<9])
    }

    @Test func `several waiting sequences are admitted in one step, in order of arrival`() throws {
        var scheduler = makeScheduler(maxBatchedTokens: 7)
        for id in [a, b, c] { try scheduler.add(id, promptTokens: 3, maxTokens: 5) }
        let batch = run(&scheduler)
        #expect(batch.admittedIDs == [a, b, c])
        #expect(batch.ranges == [a: 0..<3, b: 0..<3, c: 0..<1])
        #expect(run(&scheduler).admitted.isEmpty)
    }

    @Test func `no more sequences run than the limit, nor than the budget has tokens`() throws {
        for (maxSequences, maxBatchedTokens) in [(2, 64), (9, 2)] {
            var scheduler = makeScheduler(maxSequences: maxSequences, maxBatchedTokens: maxBatchedTokens)
            for id in [a, b, c] { try scheduler.add(id, promptTokens: 1, maxTokens: 5) }
            run(&scheduler)
            #expect(run(&scheduler).sequences.map(\.id) == [a, b])
            scheduler.finish(a)
            #expect(run(&scheduler).sequences.map(\.id) == [b, c])
        }
    }

    @Test func `a full queue refuses a sequence until one is admitted`() throws {
        var scheduler = makeScheduler(maxSequences: 1, maxQueuedSequences: 1)
        try scheduler.add(a, promptTokens: 1, maxTokens: 1)
        #expect(scheduler.queueRoom == 0)
        #expect(throws: AdmissionError.queueFull(limit: 1)) { try scheduler.add(b, promptTokens: 1, maxTokens: 1) }
        run(&scheduler)
        try scheduler.add(b, promptTokens: 1, maxTokens: 1)
        #expect(scheduler.statistics.running == 1 && scheduler.statistics.waiting == 1)
    }

    @Test func `a sequence that could never finish is refused with the numbers, and the largest possible one finishes`()
        throws
    {
        // A window of 4 lies in two sliding logical blocks at most; that leaves 6 of 8 blocks for global logical blocks: 24
        // computed tokens.
        var scheduler = makeScheduler(window: 4, totalBlocks: 8)
        #expect(throws: AdmissionError.neverFits(needed: 9, pool: 8)) {
            try scheduler.add(a, promptTokens: 20, maxTokens: 6)
        }
        try scheduler.add(a, promptTokens: 20, maxTokens: 5)
        var sampled = 0
        while sampled < 5 {
            let batch = scheduler.schedule()
            try #require(!batch.sequences.isEmpty)
            scheduler.advance(batch)
            if batch.sequences.allSatisfy(\.samples) { sampled += 1 }
            if sampled < 5, batch.sequences.allSatisfy(\.samples) { scheduler.appendToken(a) }
        }
        #expect(scheduler.statistics.globalBlocks == 6)
    }

    @Test func `the token limit is reduced to the length of the model`() throws {
        var scheduler = makeScheduler(window: 4, totalBlocks: 8, maxModelLength: 25)
        try scheduler.add(a, promptTokens: 20, maxTokens: .max)
        var unlimited = makeScheduler(window: 4, totalBlocks: 8)
        #expect(throws: AdmissionError.self) { try unlimited.add(a, promptTokens: 20, maxTokens: .max) }
    }

    @Test func `a chunk shrinks to the free blocks`() throws {
        var scheduler = makeScheduler(window: 4, totalBlocks: 8)
        try scheduler.add(a, promptTokens: 20, maxTokens: 5)
        #expect(run(&scheduler).ranges == [a: 0..<16])
        #expect(run(&scheduler).ranges == [a: 16..<20])
    }

    @Test func `sliding blocks are freed as a sequence advances`() throws {
        var scheduler = makeScheduler(window: 4)
        try scheduler.add(a, promptTokens: 16, maxTokens: 5)
        run(&scheduler)
        // The next query, at 16, attends to keys 13...16.
        #expect(scheduler.statistics.globalBlocks == 4 && scheduler.statistics.slidingBlocks == 1)
        #expect(scheduler.blockTables(a).sliding.blocks.dropLast() == [-1, -1, -1])
    }

    @Test func `a sequence that ends frees its blocks at once, in every state`() throws {
        var scheduler = makeScheduler(maxSequences: 2, maxBatchedTokens: 6)
        for id in [a, b, c] { try scheduler.add(id, promptTokens: 5, maxTokens: 5) }
        run(&scheduler)
        scheduler.finish(c)  // waiting
        scheduler.finish(b)  // in the middle of its prefill
        let batch = scheduler.schedule()
        scheduler.finish(a)  // between a step's start and its end
        scheduler.advance(batch)
        scheduler.finish(a)  // gone
        #expect(scheduler.isIdle)
        #expect(scheduler.schedule() == ScheduledBatch())
        #expect(scheduler.statistics.freeBlocks == scheduler.statistics.totalBlocks)
        scheduler.checkInvariants()
    }
}
