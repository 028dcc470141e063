import Testing

@testable import Scheduling

/// Logical blocks of 4 tokens, one block in each group.
@Suite struct SchedulerPrefixTests {
    private let a = SequenceID(1)
    private let b = SequenceID(2)
    private let c = SequenceID(3)

    private func tokens(_ count: Int, from first: Int32 = 100) -> [Int32] {
        (0..<Int32(count)).map { first + $0 }
    }

    private func makeScheduler(
        maxBatchedTokens: Int = 64, window: Int = 8, totalBlocks: Int = 100
    ) -> Scheduler {
        SchedulingTests.makeScheduler(
            maxBatchedTokens: maxBatchedTokens, window: window, totalBlocks: totalBlocks, cachesPrefixes: true)
    }

    @Test func `a prompt that was computed before is reused up to its last full logical block`() throws {
        // The last token is always computed: of 12 tokens in three full logical blocks, the first two logical blocks are used.
        for (length, cached) in [(3, 0), (4, 0), (5, 4), (12, 8), (13, 12)] {
            var scheduler = makeScheduler()
            try scheduler.add(a, prompt: tokens(length), maxTokens: 1)
            run(&scheduler)
            scheduler.finish(a)
            try scheduler.add(b, prompt: tokens(length), maxTokens: 1)
            let batch = run(&scheduler)
            #expect(batch.admitted == [AdmittedSequence(id: b, cachedTokens: cached)])
            #expect(batch.ranges == [b: cached..<length])
            #expect(scheduler.statistics.prefixQueries == UInt64(2 * length))
            #expect(scheduler.statistics.prefixHits == UInt64(cached))
        }
    }

    @Test func `a hit ends where the tokens differ, and another salt has none`() throws {
        var scheduler = makeScheduler()
        try scheduler.add(a, prompt: tokens(20), maxTokens: 1)
        run(&scheduler)
        scheduler.finish(a)
        try scheduler.add(b, prompt: tokens(10) + tokens(10, from: 500), maxTokens: 1)
        try scheduler.add(c, prompt: tokens(20), maxTokens: 1, cacheSalt: [1])
        let batch = run(&scheduler)
        #expect(batch.ranges == [b: 8..<20, c: 0..<20])
        #expect(batch.admitted.map(\.missReason) == [.notCached, .notCached])
    }

    @Test func `the reason of a short prefix match is reported`() throws {
        // A hit of maximum length, for a prompt that ends inside a logical block.
        var scheduler = makeScheduler(window: 8, totalBlocks: 14)
        try scheduler.add(a, prompt: tokens(16), maxTokens: 1)
        run(&scheduler)
        scheduler.finish(a)
        try scheduler.add(b, prompt: tokens(13), maxTokens: 1)
        #expect(run(&scheduler).admitted == [AdmittedSequence(id: b, cachedTokens: 12, missReason: nil)])
        scheduler.finish(b)
        try scheduler.add(c, prompt: tokens(17), maxTokens: 1, takesPrefix: false)
        #expect(run(&scheduler).admitted.first?.missReason == .notTaken)
    }

    @Test func `an evicted window shortens a hit although the rest is cached`() throws {
        let geometry = KVCacheGeometry(
            blockSize: 4, globalBlocksPerLogicalBlock: 1, slidingBlocksPerLogicalBlock: 1, slidingWindow: 8,
            totalBlocks: 100)
        var manager = KVCacheManager(geometry: geometry)
        var chain = PrefixChain(cacheSalt: [], blockSize: 4)
        for token in tokens(40) { chain.append(token) }
        manager.allocate(a, upTo: 40)
        // Logical blocks leave the window before they are cached, so only the last ones exist in the sliding group.
        manager.freeOutsideWindow(a, nextQuery: 40)
        manager.cache(a, computedTokens: 40, hashes: chain.hashes)
        let short = manager.prefixHit(chain.hashes, tokens: 21)
        #expect(short.logicalBlocks == 0 && short.missReason == .windowEvicted)
        let long = manager.prefixHit(chain.hashes, tokens: 41)
        #expect(long.logicalBlocks == 10 && long.missReason == nil)
    }

    @Test(arguments: [1, 3, 4, 5, 8, 9, 30, 1000])
    func `a conversation recomputes at most one logical block more than its new tokens`(window: Int) throws {
        var scheduler = makeScheduler(maxBatchedTokens: 7, window: window, totalBlocks: 500)
        var conversation = tokens(9)
        for turn in 0..<20 as Range<UInt64> {
            let id = SequenceID(turn)
            let known = turn == 0 ? 0 : conversation.count - 3
            try scheduler.add(id, prompt: conversation, maxTokens: 100)
            var first: Int?
            for sampled in 0..<Int32(11) {
                var batch = ScheduledBatch()
                repeat {
                    batch = scheduler.schedule()
                    first = first ?? batch.ranges[id]?.lowerBound
                    scheduler.advance(batch)
                } while !batch.sequences.allSatisfy(\.samples)
                scheduler.appendTokens([sampled], to: id)
                conversation.append(sampled)
            }
            scheduler.finish(id)
            #expect(scheduler.violatedInvariant() == nil)
            // The last sampled token was never computed.
            #expect(known - 1 - (first ?? 0) < 4)
            conversation += tokens(3, from: 1000)
        }
    }

    @Test func `running sequences share blocks, and the last to end leaves them cached`() throws {
        var scheduler = makeScheduler(window: 100)
        try scheduler.add(a, prompt: tokens(9), maxTokens: 5)
        run(&scheduler)
        try scheduler.add(b, prompt: tokens(9), maxTokens: 5)
        run(&scheduler)
        #expect(scheduler.blockTables(a).global.blocks.prefix(2) == scheduler.blockTables(b).global.blocks.prefix(2))
        #expect(scheduler.blockTables(a).global.blocks.last != scheduler.blockTables(b).global.blocks.last)
        #expect(scheduler.statistics.globalBlocks == 4 && scheduler.statistics.slidingBlocks == 4)
        scheduler.finish(a)
        #expect(scheduler.statistics.globalBlocks == 3 && scheduler.statistics.cachedBlocks == 0)
        scheduler.finish(b)
        #expect(scheduler.statistics.globalBlocks == 0 && scheduler.statistics.cachedBlocks == 4)
        #expect(scheduler.statistics.freeBlocks == 96)
    }

    @Test func `shared blocks are not required at admission`() throws {
        // a holds six blocks; b needs eight, four of them a's, and the watermark is four.
        for (totalBlocks, isAdmitted) in [(13, false), (14, true)] {
            var scheduler = makeScheduler(window: 100, totalBlocks: totalBlocks)
            try scheduler.add(a, prompt: tokens(9), maxTokens: 2)
            run(&scheduler)
            try scheduler.add(b, prompt: tokens(8) + tokens(5, from: 500), maxTokens: 2)
            #expect(run(&scheduler).admittedIDs == (isAdmitted ? [b] : []))
        }
    }

    @Test func `a tail is evicted before the head that others may share`() throws {
        var scheduler = makeScheduler(window: 100, totalBlocks: 10)
        try scheduler.add(a, prompt: tokens(17), maxTokens: 1)
        run(&scheduler)
        scheduler.finish(a)
        #expect(scheduler.statistics.cachedBlocks == 8)
        // Six blocks of other content: two are free, four are the last two logical blocks of a.
        try scheduler.add(b, prompt: tokens(9, from: 500), maxTokens: 1)
        run(&scheduler)
        scheduler.finish(b)
        try scheduler.add(c, prompt: tokens(17), maxTokens: 1)
        #expect(run(&scheduler).ranges == [c: 8..<17])
    }

    @Test func `a hit remains after the eviction of sliding logical blocks that no query needs`() throws {
        // Four global logical blocks, of a window of 4 two sliding logical blocks at a time: nine blocks are just enough.
        var scheduler = makeScheduler(maxBatchedTokens: 4, window: 4, totalBlocks: 9)
        try scheduler.add(a, prompt: tokens(17), maxTokens: 1)
        for _ in 0..<5 { run(&scheduler) }
        scheduler.finish(a)
        // Another sequence takes two free blocks and evicts the two sliding logical blocks that were freed first.
        try scheduler.add(b, prompt: tokens(4, from: 500), maxTokens: 1)
        run(&scheduler)
        scheduler.finish(b)
        try scheduler.add(c, prompt: tokens(17), maxTokens: 1)
        #expect(run(&scheduler).ranges == [c: 16..<17])
    }

    @Test func `a preempted sequence continues from the cached part`() throws {
        var scheduler = makeScheduler(window: 100, totalBlocks: 8)
        try scheduler.add(a, prompt: [1], maxTokens: 16)
        try scheduler.add(b, prompt: [2], maxTokens: 16)
        for _ in 0..<8 { run(&scheduler) }
        #expect(run(&scheduler).preempted == [b])
        scheduler.finish(a)
        // Of b's two logical blocks the last has lost its blocks to a.
        #expect(run(&scheduler).ranges == [b: 4..<9])
    }

    @Test func `a copy replaces an evicted original`() throws {
        var scheduler = makeScheduler(window: 100, totalBlocks: 16)
        // Both compute the same tokens at the same time.
        try scheduler.add(a, prompt: tokens(9), maxTokens: 20)
        try scheduler.add(b, prompt: tokens(9), maxTokens: 20)
        run(&scheduler)
        scheduler.finish(a)
        #expect(scheduler.statistics.cachedBlocks == 4)
        // Fills the pool: the originals are evicted.
        try scheduler.add(c, prompt: tokens(9, from: 500), maxTokens: 20)
        while scheduler.statistics.cachedBlocks > 0 { run(&scheduler) }
        #expect(scheduler.statistics.running == 2)
        scheduler.finish(c)
        scheduler.finish(b)
        try scheduler.add(SequenceID(4), prompt: tokens(9), maxTokens: 1)
        #expect(run(&scheduler).ranges == [SequenceID(4): 8..<9])
    }

    @Test func `a sequence that ends before its step has run leaves nothing behind`() throws {
        var scheduler = makeScheduler()
        try scheduler.add(a, prompt: tokens(12), maxTokens: 1)
        _ = scheduler.schedule()
        scheduler.finish(a)
        #expect(scheduler.statistics.cachedBlocks == 0)
        try scheduler.add(b, prompt: tokens(12), maxTokens: 1)
        #expect(run(&scheduler).ranges == [b: 0..<12])
    }
}
