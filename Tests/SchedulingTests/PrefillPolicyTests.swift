import TestSupport
import Testing

@testable import Scheduling

/// What each policy makes of machines whose step times are known.
@Suite struct PrefillPolicyTests {
    private typealias Client = MixtureServer.Client

    /// What the machine needs at least: prompts in the largest chunks, then all decoding together.
    private func ideal(_ machine: MixtureMachine, clients: Int) -> Double {
        Double(clients * 128) * machine.seconds(tokens: 512) / 512 + 64 * machine.seconds(tokens: clients)
    }

    /// The time for so many clients at once, 128 tokens in and 64 out, in relation to the ideal: of a server that has just started,
    /// and of the same server once more.
    private func burst(
        _ machine: MixtureMachine, _ policy: PrefillPolicy, clients: Int, seed: UInt64
    ) throws -> [Double] {
        var server = MixtureServer(machine, policy, seed: seed)
        let all = Array(repeating: Client(promptTokens: 128, completionTokens: 64), count: clients)
        return try (0..<2).map { _ in try server.run(all).time / ideal(machine, clients: clients) }
    }

    @Test(arguments: 1...UInt64(TestEffort.count(1, all: 5)))
    func `many clients at once lose at most a tenth of the throughput by default`(seed: UInt64) throws {
        #expect((38.0...39).contains(ideal(.nano, clients: 32)))
        for machine in [MixtureMachine.nano, .small] {
            for ratio in try burst(machine, .balanced, clients: 32, seed: seed) {
                #expect((0.9...1.1).contains(ratio), "\(machine): \(ratio)")
            }
            for ratio in try burst(machine, .unbounded, clients: 32, seed: seed) {
                #expect((0.9...1.03).contains(ratio), "\(machine): \(ratio)")
            }
        }
        // Few clients lose a little more: while one of eight waits, streams come first.
        for machine in [MixtureMachine.nano, .small, .fast] {
            for ratio in try burst(machine, .balanced, clients: 8, seed: seed) {
                #expect(ratio < 1.15, "\(machine): \(ratio)")
            }
        }
        // What it is compared with: a fixed time of which little is left for prefill.
        for ratio in try burst(.nano, .within(.milliseconds(100)), clients: 32, seed: seed) { #expect(ratio > 1.4) }
        for ratio in try burst(.nano, .interactive, clients: 32, seed: seed) { #expect(ratio > 1.4) }
    }

    /// Eight chats of 64 tokens in and 200 out, without pause, and a prompt of 4096 tokens every ten seconds. The first tokens are
    /// those of the long prompts.
    private func mixed(_ machine: MixtureMachine, _ policy: PrefillPolicy) throws -> MixtureServer.Outcome {
        var server = MixtureServer(machine, policy)
        for _ in 0..<8 { try server.add(Client(promptTokens: 64, completionTokens: 200, requests: 10_000)) }
        _ = try server.run(atMost: 5)
        var outcome = MixtureServer.Outcome()
        for _ in 0..<4 {
            try server.add(Client(promptTokens: 4096, completionTokens: 1))
            let run = try server.run(atMost: 10)
            outcome.gaps += run.gaps
            outcome.firstTokens.append(run.firstTokens.max() ?? .infinity)
        }
        return outcome
    }

    @Test func `long prompts do not make the streams of a fast model stutter by default`() throws {
        for policy in [PrefillPolicy.balanced, .interactive] {
            let outcome = try mixed(.fast, policy)
            #expect(outcome.gaps.count > 20_000)
            #expect((0.004...0.009).contains(outcome.percentile(0.5)))
            #expect(outcome.percentile(0.99) < 2 * outcome.percentile(0.5), "\(policy)")
            let long = outcome.firstTokens.reduce(0, +) / Double(outcome.firstTokens.count)
            #expect(long < (policy == .balanced ? 6 : 7.2), "\(policy): \(long)")
        }
        let smooth = try mixed(.fast, .interactive)
        #expect(smooth.percentile(1) < 0.012)
        let slow = try mixed(.fast, .within(.milliseconds(100)))
        #expect(slow.percentile(1) > 0.06, "it was like this")
    }

    @Test(arguments: [(MixtureMachine.small, 20), (.small, 100), (.fast, 10), (.nano, 200), (.nano, 1000)])
    func `a stream's worst gap beside a long prompt is at most half more than the time that was asked for`(
        machine: MixtureMachine, milliseconds: Int
    ) throws {
        for seed in 1...5 as ClosedRange<UInt64> {
            var server = MixtureServer(machine, .within(.milliseconds(milliseconds)), seed: seed)
            // A server that has just started, and has computed one prompt.
            _ = try server.run([Client(promptTokens: 300, completionTokens: 1)])
            for _ in 0..<8 { try server.add(Client(promptTokens: 64, completionTokens: 3000)) }
            _ = try server.run(atMost: 100 * machine.seconds(tokens: 8))
            try server.add(Client(promptTokens: 4096, completionTokens: 1))
            let gaps = try server.run(atMost: 30 * machine.seconds(tokens: 512)).gaps
            #expect(gaps.count > 100)
            #expect(gaps.max() ?? 9 < 1.5 * Double(milliseconds) / 1000, "seed \(seed)")
        }
    }

    @Test func `streams are not slowed down for prompts that are less urgent than they are`() throws {
        func longestGap(priority: Int) throws -> Double {
            var server = MixtureServer(.small, .balanced)
            for _ in 0..<4 { try server.add(Client(promptTokens: 64, completionTokens: 1000)) }
            // Long enough to learn what prompts cost.
            for _ in 0..<5 { try server.add(Client(promptTokens: 100, completionTokens: 5)) }
            _ = try server.run(atMost: 1)
            for _ in 0..<50 { try server.add(Client(promptTokens: 500, completionTokens: 1, priority: priority)) }
            return try server.run(atMost: 1).percentile(0.9)
        }
        #expect(try longestGap(priority: 1) < 0.014)
        #expect(try longestGap(priority: 0) > 0.03)
    }

    /// A model that has learnt a machine.
    private func model(_ machine: MixtureMachine) -> StepTimeModel {
        var model = StepTimeModel(expertShare: MixtureMachine.expertShare)
        var random = SeededGenerator(seed: 1)
        for _ in 0..<300 {
            var work = StepWork()
            work.decodeTokens = .random(in: 0...16, using: &random)
            work.prefillTokens = random.oneIn(2) ? 0 : 1 << Int.random(in: 1...9, using: &random)
            model.observe(work, took: .seconds(machine.seconds(tokens: work.decodeTokens + work.prefillTokens)))
        }
        return model
    }

    private func demand(decoding: Int, waiting: Int) -> PrefillDemand {
        var work = StepWork()
        work.decodeTokens = decoding
        return PrefillDemand(decodes: work, decoding: decoding, waiting: waiting, tokens: 512 - decoding)
    }

    @Test func `time for prefill grows with those who wait, from half of the decodes' to an efficient chunk's`() throws
    {
        let model = model(.nano)
        func seconds(_ decoding: Int, _ waiting: Int) throws -> Double {
            try #require(demand(decoding: decoding, waiting: waiting).stepTime(.balanced, model)) / .seconds(1)
        }
        let decodes = MixtureMachine.nano.seconds(tokens: 16)
        for (waiting, expected) in [(0, 1.5), (1, 1.5), (2, 1.75), (4, 2.5), (8, 4)] {
            #expect(abs(try seconds(16, waiting) / decodes - expected) < 0.15, "\(waiting)")
        }
        // 191 tokens cost 1.1 times the least, 117 cost 1.2 times.
        #expect(abs(try seconds(1, 60) / MixtureMachine.nano.seconds(tokens: 192) - 1) < 0.15)
        #expect(abs(try seconds(1, 1) / MixtureMachine.nano.seconds(tokens: 118) - 1) < 0.15)
        var last = 0.0
        for waiting in 0...60 {
            let time = try seconds(8, waiting)
            #expect(time >= last)
            last = time
        }
    }

    @Test func `a time that is given holds, and nothing is bounded while nobody decodes`() {
        let model = model(.nano)
        let crowd = demand(decoding: 2, waiting: 60)
        #expect(crowd.stepTime(.within(.milliseconds(500)), model) == .milliseconds(500))
        #expect(crowd.stepTime(.unbounded, model) == nil)
        for policy in [PrefillPolicy.within(.milliseconds(1)), .interactive, .balanced, .unbounded] {
            #expect(demand(decoding: 0, waiting: 9).stepTime(policy, model) == nil)
        }
        // A model whose steps take less than a millisecond has time that nobody notices.
        let tiny = self.model(MixtureMachine(step: 0.0001, experts: 0.0001, token: 0.00001))
        #expect(demand(decoding: 2, waiting: 0).stepTime(.interactive, tiny) == PrefillPolicy.leastStep)
        #expect(demand(decoding: 2, waiting: 0).stepTime(.balanced, tiny) == PrefillPolicy.leastStep)
    }

    @Test func `before anything was learnt a policy is careful`() {
        for policy in [PrefillPolicy.interactive, .balanced] {
            let time = demand(decoding: 4, waiting: 60).stepTime(policy, StepTimeModel())
            #expect(time == PrefillPolicy.leastStep)
        }
        #expect(StepTimeModel().smallestChunk(costing: 1.1, ofChunk: 512) == 1)
        #expect(StepTimeModel().smallestChunk(costing: 1.1, ofChunk: 1) == 1)
    }

    @Test(arguments: [(MixtureMachine.nano, 53, 191), (.small, 35, 147)])
    func `the model tells from which size on a chunk's tokens cost little more than the least`(
        machine: MixtureMachine, most: Int, efficient: Int
    ) {
        let model = model(machine)
        #expect(abs(model.smallestChunk(costing: 1.5, ofChunk: 512) - most) <= most / 5)
        #expect(abs(model.smallestChunk(costing: 1.1, ofChunk: 512) - efficient) <= efficient / 5)
        for tokens in [1, 4, 20, 60, 200, 512] {
            var work = StepWork()
            work.prefillTokens = tokens
            let ratio = model.time(work) / .seconds(machine.seconds(tokens: tokens))
            #expect((0.85...1.15).contains(ratio), "\(tokens): \(ratio)")
        }
    }
}
