import Scheduling
import Testing

/// The steps of eight decoding sequences on a machine of known speed, while a long prompt is computed.
@Suite struct SchedulerTimeBudgetTests {
    /// Seconds: 20 ms per step, 2 ms per decode, 3 ms per prompt token.
    private func seconds(_ work: StepWork) -> Double {
        0.02 + Double(work.decodeTokens) * 0.002 + Double(work.prefillTokens) * 0.003
            + Double(work.attentionPairs) * 1e-7
    }

    private struct Outcome {
        /// Seconds of the steps between the long prompt's arrival and its first token.
        var steps: [Double] = []
        var chunks: [Int] = []
    }

    private func run(limit: Duration?, decodes: Int = 8, slowdown: Double = 1) throws -> Outcome {
        var scheduler = makeScheduler(
            maxSequences: 64, maxBatchedTokens: 512, maxQueuedSequences: 100, totalBlocks: 100_000,
            prefillPolicy: limit.map(PrefillPolicy.within) ?? .unbounded)
        for number in 1...decodes { try scheduler.add(SequenceID(UInt64(number)), promptTokens: 30, maxTokens: 10_000) }
        let long = SequenceID(1000)
        var outcome = Outcome()
        for step in 0... {
            if step == 100 { try scheduler.add(long, promptTokens: 4000, maxTokens: 10) }
            let batch = scheduler.schedule(now: .zero)
            let time = seconds(batch.work) * (step > 120 ? slowdown : 1)
            scheduler.advance(batch)
            for scheduled in batch.sequences where scheduled.samples { scheduler.appendTokens([0], to: scheduled.id) }
            scheduler.observe(batch.work, took: .seconds(time))
            guard let tokens = batch.ranges[long] else { continue }
            outcome.steps.append(time)
            outcome.chunks.append(tokens.count)
            if tokens.upperBound == 4000 { break }
        }
        return outcome
    }

    @Test func `a step takes no longer than its target, and prefill uses the rest of it`() throws {
        let outcome = try run(limit: .milliseconds(200))
        #expect(outcome.steps.allSatisfy { $0 < 0.24 })
        // 200 ms less 36 ms for the decodes are about 50 tokens of 3 ms and a bit for attention.
        #expect(outcome.steps.dropLast().reduce(0, +) / Double(outcome.steps.count) > 0.15)
    }

    @Test func `without a limit the token budget decides`() throws {
        #expect(try run(limit: nil).chunks.first == 504)
    }

    @Test func `if decodes alone need most of the limit, prefill gets half as much time as they`() throws {
        // 20 ms and 40 times 2 ms.
        let outcome = try run(limit: .milliseconds(50), decodes: 40)
        #expect(outcome.steps.allSatisfy { $0 < 0.2 })
        #expect(outcome.chunks.dropLast().allSatisfy { $0 >= 4 })
        #expect(outcome.steps.dropLast().reduce(0, +) / Double(outcome.steps.count) > 0.13)
    }

    @Test func `chunks shrink when the machine becomes slower`() throws {
        let outcome = try run(limit: .milliseconds(200), slowdown: 2)
        #expect(outcome.steps.suffix(20).allSatisfy { $0 < 0.25 })
        #expect(outcome.steps.max() ?? 0 < 0.45)
    }

    @Test func `a step without decodes is limited only by tokens`() throws {
        var scheduler = makeScheduler(
            maxBatchedTokens: 512, totalBlocks: 100_000, prefillPolicy: .within(.milliseconds(1)))
        try scheduler.add(SequenceID(1), promptTokens: 4000, maxTokens: 10)
        for _ in 0..<7 {
            let batch = scheduler.schedule(now: .zero)
            #expect(batch.tokenCount == 512)
            scheduler.advance(batch)
            scheduler.observe(batch.work, took: .seconds(seconds(batch.work)))
        }
    }

    @Test func `the statistics have the speed of prefill and the expected ends of sequences`() throws {
        var scheduler = makeScheduler(
            maxSequences: 2, maxBatchedTokens: 100, maxQueuedSequences: 100, totalBlocks: 100_000)
        #expect(scheduler.statistics.prefillRate == nil && scheduler.statistics.expectedEnds.isEmpty)
        var now = Duration.zero
        for number in 1...40 { try scheduler.add(SequenceID(UInt64(number)), promptTokens: 50, maxTokens: 10) }
        while scheduler.statistics.waiting > 0 {
            let batch = scheduler.schedule(now: now)
            scheduler.advance(batch)
            // A second for each pair of prompts: both end after their first token.
            for scheduled in batch.sequences where scheduled.samples { scheduler.finish(scheduled.id) }
            scheduler.observe(batch.work, took: .seconds(1))
            now += .seconds(1)
        }
        let statistics = scheduler.statistics
        #expect((90...110).contains(statistics.prefillRate ?? 0))
        for (number, limit) in [(41, 10), (42, 30)] {
            try scheduler.add(SequenceID(UInt64(number)), promptTokens: 1, maxTokens: limit)
        }
        for _ in 0..<20 where !scheduler.isIdle {
            let batch = scheduler.schedule(now: now)
            scheduler.advance(batch)
            for scheduled in batch.sequences where scheduled.samples { scheduler.appendToken(scheduled.id) }
            scheduler.observe(batch.work, took: .seconds(1))
            if scheduler.statistics.running == 2 { break }
        }
        // The earlier sequences had one token each, so the mean does not describe these: they soon exceed it.
        #expect(scheduler.statistics.expectedEnds.allSatisfy { $0 < 1 } && scheduler.statistics.expectedRun ?? 9 < 1)
    }
}
