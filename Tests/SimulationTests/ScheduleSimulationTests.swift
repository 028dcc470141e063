import Testing

@Suite struct ScheduleSimulationTests {
    /// Seeds in each of the `hundreds`, so that the test runner can spread them.
    @Test(arguments: 0..<25 as Range<UInt64>)
    func `every sequence ends exactly once and no block is left, whatever comes`(hundred: UInt64) {
        for seed in hundred * 100..<(hundred + 1) * 100 {
            var simulation = ScheduleSimulation(seed: seed)
            do {
                try simulation.run()
            } catch {
                Issue.record("seed \(seed), step \(error.step): \(error)")
                return
            }
            #expect(simulation.ended.allSatisfy { $0.value == 1 }, "seed \(seed)")
            #expect(Set(simulation.ended.keys) == simulation.accepted, "seed \(seed)")
        }
    }

    @Test func `the same seed gives the same trace`() throws {
        for seed in 0..<100 as Range<UInt64> {
            var first = ScheduleSimulation(seed: seed)
            var second = ScheduleSimulation(seed: seed)
            try first.run()
            try second.run()
            #expect(first.trace == second.trace, "seed \(seed)")
        }
    }

    @Test func `the seeds reach preemptions, both refusals, large batches and hits of every kind`() throws {
        var preemptions: UInt64 = 0
        var hits = ScheduleSimulation.Hits()
        var (fullQueues, neverFits, accepted, largestBatch) = (0, 0, 0, 0)
        for seed in 0..<300 as Range<UInt64> {
            var simulation = ScheduleSimulation(seed: seed)
            try simulation.run()
            preemptions += simulation.preemptions
            accepted += simulation.accepted.count
            hits.all += simulation.hits.all
            hits.afterPreemption += simulation.hits.afterPreemption
            hits.behindWindow += simulation.hits.behindWindow
            hits.ofConversation += simulation.hits.ofConversation
            largestBatch = max(largestBatch, simulation.trace.map(\.sequences.count).max() ?? 0)
            for refusal in simulation.refusals {
                switch refusal {
                case .queueFull: fullQueues += 1
                case .neverFits: neverFits += 1
                }
            }
        }
        #expect(preemptions > 50)
        #expect(fullQueues > 50)
        #expect(neverFits > 20)
        #expect(accepted > 1000)
        #expect(largestBatch >= 6)
        #expect(hits.all > 300)
        #expect(hits.afterPreemption > 30)
        #expect(hits.behindWindow > 100)
        #expect(hits.ofConversation > 50)
    }
}
