import Scheduling
import TestSupport
import Testing

@Suite struct ScheduleSimulationTests {
    /// Groups of a hundred seeds, so that the test runner can distribute them.
    @Test(arguments: 0..<TestEffort.count(10, all: 100) as Range<UInt64>)
    func `every sequence ends exactly once and no block is left`(hundred: UInt64) {
        for seed in hundred * 100..<(hundred + 1) * 100 {
            var simulation = ScheduleSimulation(seed: seed)
            do {
                try simulation.run()
            } catch {
                Issue.record("seed \(seed), step \(error.step): \(error)")
                return
            }
            #expect(simulation.ended.allSatisfy { $0.value.count == 1 }, "seed \(seed)")
            #expect(Set(simulation.ended.keys) == simulation.accepted, "seed \(seed)")
            for (id, text) in simulation.texts {
                #expect(text == simulation.expectedText(of: id), "seed \(seed), \(id)")
            }
        }
    }

    @Test func `the same seed gives the same trace`() throws {
        for seed in 0..<200 as Range<UInt64> {
            var first = ScheduleSimulation(seed: seed)
            var second = ScheduleSimulation(seed: seed)
            try first.run()
            try second.run()
            #expect(first.trace == second.trace, "seed \(seed)")
        }
    }

    @Test func `the same clients get the same text from any machine`() throws {
        var compared = 0
        for seed in 0..<300 as Range<UInt64> {
            var texts: [SequenceID: [Int32]] = [:]
            for machine in 0..<4 as Range<UInt64> {
                var simulation = ScheduleSimulation(seed: seed, machine: machine)
                try simulation.run()
                // Only those that existed from the start; later ones depend on earlier results.
                for (id, text) in simulation.texts where id.rawValue < 100 {
                    if let other = texts[id] {
                        compared += 1
                        #expect(text == other, "seed \(seed), machine \(machine), \(id)")
                    }
                    texts[id] = text
                }
            }
        }
        #expect(compared > 2000)
    }

    @Test func `the seeds reach every end, preemptions, both refusals, large batches and hits of every kind`() throws {
        var hits = ScheduleSimulation.Hits()
        var ends: [ScheduleSimulation.End: Int] = [:]
        var (preemptions, wasted): (UInt64, UInt64) = (0, 0)
        var acceptedDrafts = 0
        var (deferrals, deferredPreemptions) = (0, 0)
        var (fullQueues, neverFits, overtakings, sharedSteps, largestBatch, timeBudgets) = (0, 0, 0, 0, 0, 0)
        for seed in 0..<400 as Range<UInt64> {
            var simulation = ScheduleSimulation(seed: seed)
            try simulation.run()
            preemptions += simulation.scheduler.statistics.preemptions
            wasted += simulation.scheduler.statistics.wastedTokens
            for end in simulation.ended.values.joined() { ends[end, default: 0] += 1 }
            acceptedDrafts += simulation.acceptedDrafts
            deferrals += simulation.deferrals
            deferredPreemptions += simulation.deferredPreemptions
            hits.all += simulation.hits.all
            hits.afterPreemption += simulation.hits.afterPreemption
            hits.behindWindow += simulation.hits.behindWindow
            hits.ofConversation += simulation.hits.ofConversation
            overtakings += simulation.overtakings
            sharedSteps += simulation.sharedSteps
            largestBatch = max(largestBatch, simulation.trace.map(\.sequences.count).max() ?? 0)
            if simulation.scheduler.limits.prefillPolicy != .unbounded { timeBudgets += 1 }
            for refusal in simulation.refusals {
                switch refusal {
                case .queueFull: fullQueues += 1
                case .neverFits: neverFits += 1
                }
            }
        }
        for end in ScheduleSimulation.End.allCases { #expect(ends[end, default: 0] > 20, "\(end)") }
        #expect(ends[.finished, default: 0] > 1000)
        #expect(preemptions > 50 && wasted > 1000)
        #expect(fullQueues > 50 && neverFits > 20)
        #expect(overtakings > 100 && sharedSteps > 300)
        #expect(largestBatch >= 6 && timeBudgets > 100)
        #expect(acceptedDrafts > 1000)
        #expect(deferrals > 1000 && deferredPreemptions > 50)
        #expect(hits.all > 300)
        #expect(hits.afterPreemption > 30)
        #expect(hits.behindWindow > 100)
        #expect(hits.ofConversation > 50)
    }
}
