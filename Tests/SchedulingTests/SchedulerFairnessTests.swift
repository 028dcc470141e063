import Scheduling
import TestSupport
import Testing

/// Logical blocks of 4 tokens and more blocks than needed: the order is determined only by rules 1 to 4 and 8.
@Suite struct SchedulerFairnessTests {
    private func id(_ number: Int) -> SequenceID { SequenceID(UInt64(number)) }

    @Test func `short prompts overtake a long one, which still advances in every step`() throws {
        var scheduler = makeScheduler(maxBatchedTokens: 32, totalBlocks: 10_000, minimumChunk: 8)
        try scheduler.add(id(1), promptTokens: 400, maxTokens: 50)
        run(&scheduler)
        try scheduler.add(id(2), promptTokens: 20, maxTokens: 50)
        try scheduler.add(id(3), promptTokens: 10, maxTokens: 50)
        let batch = run(&scheduler)
        #expect(batch.ranges == [id(1): 32..<40, id(3): 0..<10, id(2): 0..<14])
        #expect(run(&scheduler).ranges[id(2)] == 14..<20)
    }

    @Test func `a long prompt ends within its bound, even if short ones keep arriving`() throws {
        let (tokens, chunk) = (400, 8)
        var scheduler = makeScheduler(
            maxSequences: 20, maxBatchedTokens: 32, maxQueuedSequences: 100, totalBlocks: 10_000, minimumChunk: chunk)
        try scheduler.add(id(1), promptTokens: tokens, maxTokens: 50)
        var steps = 0
        var isDone = false
        while !isDone {
            for number in 0..<3 { try scheduler.add(id(2 + 3 * steps + number), promptTokens: 9, maxTokens: 50) }
            let batch = scheduler.schedule(now: .zero)
            scheduler.advance(batch)
            for sequence in batch.sequences where sequence.samples { scheduler.finish(sequence.id) }
            isDone = batch.sequences.contains { $0.id == id(1) && $0.samples }
            steps += 1
            try #require(steps <= tokens / chunk)
        }
        // The short prompts do slow it down.
        #expect(steps > tokens / 32 + 10)
    }

    @Test func `a waiting long prompt becomes first in line and is not starved`() throws {
        var scheduler = makeScheduler(
            maxSequences: 60, maxBatchedTokens: 24, maxQueuedSequences: 200, totalBlocks: 10_000, minimumChunk: 8)
        try scheduler.add(id(1), promptTokens: 80, maxTokens: 50)
        run(&scheduler)
        try scheduler.add(id(2), promptTokens: 160, maxTokens: 50)
        var steps = 0
        var isDone = false
        while !isDone {
            // More than fits in addition to the first in line, so that there is always a newer prefill in progress.
            try scheduler.add(id(3 + steps), promptTokens: 30, maxTokens: 50)
            let batch = scheduler.schedule(now: .zero)
            scheduler.advance(batch)
            for sequence in batch.sequences where sequence.samples { scheduler.finish(sequence.id) }
            isDone = batch.sequences.contains { $0.id == id(2) && $0.samples }
            steps += 1
            try #require(steps <= (80 + 160) / 8)
        }
    }

    @Test func `choices of one prompt do not compute it twice`() throws {
        var scheduler = makeScheduler(maxBatchedTokens: 32, totalBlocks: 10_000, cachesPrefixes: true, minimumChunk: 8)
        let prompt = (0..<201).map { Int32($0) }
        for number in 1...4 { try scheduler.add(id(number), prompt: prompt, maxTokens: 50) }
        var computed = 0
        while !scheduler.isIdle {
            let batch = scheduler.schedule(now: .zero)
            computed += batch.tokenCount
            scheduler.advance(batch)
            for sequence in batch.sequences where sequence.samples { scheduler.finish(sequence.id) }
        }
        #expect(computed < 201 + 3 * 32)
    }

    @Test func `a lower priority value comes first, in admission, in prefill and after preemption`() throws {
        var scheduler = makeScheduler(maxSequences: 2, maxBatchedTokens: 16, totalBlocks: 10_000, minimumChunk: 4)
        for (number, priority) in [(1, 0), (2, 1), (3, -1), (4, -1)] {
            try scheduler.add(id(number), promptTokens: 40, maxTokens: 50, priority: priority)
        }
        // The first in line by rank also gets the rest.
        #expect(run(&scheduler).ranges == [id(3): 0..<16])
        run(&scheduler)
        #expect(run(&scheduler).ranges == [id(3): 32..<40, id(4): 0..<8])
    }

    @Test func `the rest of a step goes to the lower priority before the shorter prompt`() throws {
        var scheduler = makeScheduler(maxBatchedTokens: 32, totalBlocks: 10_000)
        try scheduler.add(id(1), promptTokens: 400, maxTokens: 50)
        run(&scheduler)
        try scheduler.add(id(2), promptTokens: 10, maxTokens: 50, priority: 5)
        try scheduler.add(id(3), promptTokens: 60, maxTokens: 50)
        #expect(run(&scheduler).ranges == [id(1): 32..<40, id(3): 0..<24])
    }

    @Test func `a cached long prompt counts as short`() throws {
        var scheduler = makeScheduler(maxBatchedTokens: 32, totalBlocks: 10_000, cachesPrefixes: true)
        let known = (0..<41).map { Int32($0) }
        try scheduler.add(id(1), prompt: known, maxTokens: 50)
        run(&scheduler)
        run(&scheduler)
        scheduler.finish(id(1))
        try scheduler.add(id(2), prompt: (0..<400).map { 1000 + Int32($0) }, maxTokens: 50)
        run(&scheduler)
        try scheduler.add(id(3), prompt: (0..<20).map { 2000 + Int32($0) }, maxTokens: 50)
        try scheduler.add(id(4), prompt: known, maxTokens: 50)
        let batch = run(&scheduler)
        #expect(batch.sequences.map(\.id) == [id(2), id(4), id(3)])
        #expect(batch.ranges[id(4)] == 40..<41)
    }

    @Test func `the preempted sequence has the highest priority value, and of these it is the newest`() throws {
        var scheduler = makeScheduler(window: 100, totalBlocks: 12)
        for (number, priority) in [(1, 0), (2, 5), (3, 0)] {
            try scheduler.add(id(number), promptTokens: 1, maxTokens: 16, priority: priority)
        }
        // Three sequences with two full logical blocks of two blocks each: the pool is full, and all need a ninth token.
        var batch = ScheduledBatch()
        repeat { batch = run(&scheduler) } while batch.preempted.isEmpty
        #expect(batch.preempted == [id(2)])
        repeat { batch = run(&scheduler) } while batch.preempted.isEmpty && scheduler.statistics.running > 1
        #expect(batch.preempted.allSatisfy { $0 == id(3) })
    }

    /// Weighted tokens of tenants in `steps` steps in which both always have waiting sequences.
    private func serve(
        _ prompts: [String: Int], completions: [String: Int], maxSequences: Int, steps: Int
    ) throws -> [String: Int] {
        var scheduler = makeScheduler(
            maxSequences: maxSequences, maxBatchedTokens: 32, maxQueuedSequences: 1000, totalBlocks: 10_000,
            minimumChunk: 8)
        var tenants: [SequenceID: String] = [:]
        var served: [String: Int] = [:]
        var left: [SequenceID: Int] = [:]
        var next = 1
        for _ in 0..<steps {
            for tenant in prompts.keys.sorted() {
                while tenants.values.count(where: { $0 == tenant }) < 8 {
                    let id = id(next)
                    next += 1
                    try scheduler.add(id, promptTokens: prompts[tenant] ?? 1, maxTokens: 1000, tenant: tenant)
                    tenants[id] = tenant
                    left[id] = completions[tenant] ?? 1
                }
            }
            let batch = scheduler.schedule(now: .zero)
            scheduler.advance(batch)
            for scheduled in batch.sequences {
                guard let tenant = tenants[scheduled.id] else { continue }
                let prompt = min(scheduled.tokens.upperBound, prompts[tenant] ?? 1)
                served[tenant, default: 0] += max(0, prompt - scheduled.tokens.lowerBound)
                guard scheduled.samples else { continue }
                served[tenant, default: 0] += 2
                left[scheduled.id, default: 1] -= 1
                if left[scheduled.id] == 0 {
                    scheduler.finish(scheduled.id)
                    tenants[scheduled.id] = nil
                } else {
                    scheduler.appendToken(scheduled.id)
                }
            }
        }
        return served
    }

    @Test func `tenants get equal shares of weighted tokens, for any kind of requests`() throws {
        for (prompts, completions, maxSequences) in [
            (["a": 10, "b": 200], ["a": 5, "b": 5], 4), (["a": 20, "b": 20], ["a": 50, "b": 5], 4),
            (["a": 3, "b": 100], ["a": 60, "b": 1], 4), (["a": 10, "b": 200], ["a": 1, "b": 1], 16),
        ] {
            let served = try serve(prompts, completions: completions, maxSequences: maxSequences, steps: 3000)
            let ratio = Double(served["a"] ?? 0) / Double(served["b"] ?? 1)
            #expect((0.9...1.1).contains(ratio), "\(prompts) \(completions): \(served)")
        }
    }

    @Test func `a sequence past its deadline never starts, and a running one ends at its deadline`() throws {
        var scheduler = makeScheduler(maxSequences: 1)
        try scheduler.add(id(1), promptTokens: 3, maxTokens: 100, deadline: .seconds(10))
        try scheduler.add(id(2), promptTokens: 3, maxTokens: 100, deadline: .seconds(5))
        try scheduler.add(id(3), promptTokens: 3, maxTokens: 100)
        func step(_ seconds: Int) -> ScheduledBatch {
            let batch = scheduler.schedule(now: .seconds(seconds))
            scheduler.advance(batch)
            for sequence in batch.sequences where sequence.samples { scheduler.appendToken(sequence.id) }
            return batch
        }
        #expect(step(0).expired.isEmpty)
        let second = step(5)
        #expect(second.expired == [id(2)] && second.ranges.keys.sorted() == [id(1)])
        let third = step(11)
        #expect(third.expired == [id(1)] && third.ranges == [id(3): 0..<3])
        #expect(scheduler.statistics.expired == 2 && scheduler.statistics.wastedTokens == 4)
        #expect(step(1_000_000).expired.isEmpty)
    }

    @Test func `the tokens of an aborted sequence count as wasted, those of a finished one do not`() throws {
        var scheduler = makeScheduler()
        for number in 1...3 { try scheduler.add(id(number), promptTokens: 5, maxTokens: 100) }
        run(&scheduler)
        scheduler.finish(id(1))
        scheduler.abort(id(2))
        #expect(scheduler.statistics.wastedTokens == 5)
        run(&scheduler)
        scheduler.abort(id(3))
        scheduler.abort(id(3))
        #expect(scheduler.statistics.wastedTokens == 11)
    }
}
