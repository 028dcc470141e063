import Testing

@testable import Scheduling

/// Choices of one prompt: the prompt is hashed once, and choices of a long prompt are admitted a few at a time.
@Suite struct SharedPromptTests {
    private func ids(_ count: Int) -> [Int32] { (0..<Int32(count)).map { $0 &* 7 } }

    /// A step in which choices start to differ with their first token, and end with their fifth.
    private func step(_ scheduler: inout Scheduler) -> ScheduledBatch {
        let batch = scheduler.schedule()
        scheduler.advance(batch)
        for entry in batch.sequences where entry.samples {
            if entry.tokens.upperBound == 25 {
                scheduler.finish(entry.id)
            } else {
                scheduler.appendTokens([Int32(entry.id.rawValue)], to: entry.id)
            }
        }
        #expect(scheduler.violatedInvariant() == nil)
        return batch
    }

    @Test func `choices of a shared prompt are scheduled like sequences of their own prompts`() throws {
        var shared = makeScheduler(maxBatchedTokens: 16, totalBlocks: 60, cachesPrefixes: true)
        var separate = shared
        for round in 0..<3 {
            let prompt = shared.share(ids(21), cacheSalt: [UInt8(round / 2)])
            for choice in 0..<4 {
                let id = SequenceID(UInt64(round * 4 + choice))
                try shared.add(id, prompt: prompt, maxTokens: 5, takesPrefix: choice < 3)
                try separate.add(
                    id, prompt: ids(21), maxTokens: 5, cacheSalt: [UInt8(round / 2)], takesPrefix: choice < 3)
            }
            while !shared.isIdle {
                let (one, other) = (step(&shared), step(&separate))
                #expect(one.ranges == other.ranges && one.admitted == other.admitted)
            }
            #expect(shared.statistics.prefixHits == separate.statistics.prefixHits)
        }
        #expect(shared.statistics.prefixHits > 0)
    }

    @Test func `another choice of a long prompt is cheap`() throws {
        var scheduler = makeScheduler(maxQueuedSequences: 100, totalBlocks: 200_000, cachesPrefixes: true)
        let clock = ContinuousClock()
        let prompt = ids(200_000)
        var shared: SharedPrompt?
        let hashing = clock.measure { shared = scheduler.share(prompt) }
        let choices = try clock.measure {
            for choice in 0..<100 {
                try scheduler.add(
                    SequenceID(UInt64(choice)), prompt: #require(shared), maxTokens: 1)
            }
        }
        // All hundred take less time than the hashes of one.
        #expect(choices < hashing, "\(choices), \(hashing)")
    }

    @Test func `a step admits long prompts a few at a time, and eventually all of them`() throws {
        let logicalBlocks = 1500
        var scheduler = makeScheduler(
            maxSequences: 20, maxBatchedTokens: 200_000, maxQueuedSequences: 20, totalBlocks: 200_000,
            cachesPrefixes: true)
        let prompt = scheduler.share(ids(logicalBlocks * 4 + 1))
        for choice in 0..<20 { try scheduler.add(SequenceID(UInt64(choice)), prompt: prompt, maxTokens: 5) }
        var admitted: [Int] = []
        while admitted.reduce(0, +) < 20, admitted.count < 20 {
            let batch = run(&scheduler)
            admitted.append(batch.admitted.count)
            for entry in batch.sequences where entry.samples { scheduler.finish(entry.id) }
        }
        #expect(admitted == [3, 3, 3, 3, 3, 3, 2])
    }

    @Test func `a choice releases shared blocks in a fraction of the time that the last one takes`() throws {
        let logicalBlocks = 20_000
        var scheduler = makeScheduler(
            maxBatchedTokens: 100_000, totalBlocks: 200_000, cachesPrefixes: true)
        let prompt = scheduler.share(ids(logicalBlocks * 4 + 1))
        for choice in 0..<8 { try scheduler.add(SequenceID(UInt64(choice)), prompt: prompt, maxTokens: 50) }
        for _ in 0..<20 where scheduler.statistics.running < 8 { run(&scheduler) }
        #expect(scheduler.statistics.running == 8)
        let times = (0..<8).map { choice in
            ContinuousClock().measure { scheduler.finish(SequenceID(UInt64(choice))) }
        }
        let fastest = times.dropLast().min() ?? .zero
        #expect(fastest * 2 < times[7], "\(times)")
        #expect(scheduler.violatedInvariant() == nil)
    }
}
