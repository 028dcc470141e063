import Scheduling
import TestSupport
import Testing

/// Compares the model with machines whose costs are known.
@Suite struct StepTimeModelTests {
    /// Seconds for a step, and for each token or pair of it.
    struct Machine {
        var step: Double
        var decode: Double
        var prefill: Double
        var pair: Double

        func time(_ work: StepWork) -> Double {
            step + Double(work.decodeTokens) * decode + Double(work.prefillTokens) * prefill
                + Double(work.attentionPairs) * pair
        }
    }

    private static let machines = [
        Machine(step: 0.02, decode: 0.002, prefill: 0.003, pair: 0),
        Machine(step: 0.0001, decode: 0.00005, prefill: 0.00002, pair: 1e-9),
        Machine(step: 0.5, decode: 0.1, prefill: 0.09, pair: 2e-6),
    ]

    /// `decodes` sequences of 500 tokens, and a chunk of `prefill` tokens.
    private func work(decodes: Int, prefill: Int, from start: Int = 0) -> StepWork {
        var work = StepWork()
        work.decodeTokens = decodes
        work.prefillTokens = prefill
        work.attentionPairs = decodes * 500 + prefill * (2 * start + prefill + 1) / 2
        return work
    }

    private func observe(
        _ model: inout StepTimeModel, _ machine: Machine, steps: Int, _ random: inout SeededGenerator,
        noise: Double = 0.1
    ) {
        for _ in 0..<steps {
            let work = work(
                decodes: .random(in: 0...8, using: &random),
                prefill: random.oneIn(3) ? .random(in: 1...256, using: &random) : 0,
                from: .random(in: 0...2000, using: &random))
            let factor = Double.random(in: 1 - noise...1 + noise, using: &random)
            model.observe(work, took: .seconds(machine.time(work) * factor))
        }
    }

    @Test(arguments: machines)
    func `times are predicted within a tenth after some steps, with outliers or without`(machine: Machine) {
        for hiccups in [false, true] {
            var random = SeededGenerator(seed: 1)
            var model = StepTimeModel()
            for _ in 0..<30 {
                observe(&model, machine, steps: 10, &random)
                let unlucky = work(decodes: 3, prefill: 0)
                if hiccups { model.observe(unlucky, took: .seconds(machine.time(unlucky) * 20)) }
            }
            for (decodes, prefill) in [(1, 64), (8, 64), (8, 256), (1, 200)] {
                let work = work(decodes: decodes, prefill: prefill, from: 1000)
                let ratio = model.time(work) / .seconds(machine.time(work))
                #expect((hiccups ? 0.8...1.5 : 0.9...1.1).contains(ratio), "\(machine) \(work): \(ratio)")
            }
        }
    }

    @Test(arguments: machines)
    func `a chunk fills the time that it is given`(machine: Machine) {
        var random = SeededGenerator(seed: 2)
        var model = StepTimeModel()
        observe(&model, machine, steps: 300, &random)
        for wanted in [20, 100, 400] {
            let time = machine.time(work(decodes: 8, prefill: wanted, from: 300))
            let chunk = model.prefillTokens(
                from: 300, atMost: 1000, beside: work(decodes: 8, prefill: 0), within: .seconds(time))
            #expect((Double(wanted) * 0.75...Double(wanted) * 1.3).contains(Double(chunk)), "\(machine) \(wanted)")
        }
        let decodes = work(decodes: 8, prefill: 0)
        #expect(model.prefillTokens(from: 0, atMost: 7, beside: decodes, within: .seconds(1000)) == 7)
        #expect(model.prefillTokens(from: 0, atMost: 7, beside: decodes, within: .zero) == 0)
    }

    @Test func `nothing is predicted before a prefill was measured, and little after the first`() {
        var model = StepTimeModel()
        let decodes = work(decodes: 1, prefill: 0)
        #expect(model.prefillTokens(from: 0, atMost: 512, beside: decodes, within: .seconds(10)) == 0)
        model.observe(decodes, took: .milliseconds(50))
        #expect(model.prefillTokens(from: 0, atMost: 512, beside: decodes, within: .seconds(10)) == 0)
        // 40 ms for the step and 1 ms per token: all of it is attributed to the tokens.
        var fresh = StepTimeModel()
        fresh.observe(work(decodes: 0, prefill: 10), took: .milliseconds(50))
        let chunk = fresh.prefillTokens(from: 0, atMost: 512, beside: decodes, within: .milliseconds(200))
        #expect((20...41).contains(chunk))
    }

    @Test func `a machine that has become slower is detected within some steps`() {
        var random = SeededGenerator(seed: 3)
        var model = StepTimeModel()
        let machine = Machine(step: 0.02, decode: 0.002, prefill: 0.003, pair: 0)
        observe(&model, machine, steps: 300, &random)
        let slow = Machine(step: 0.1, decode: 0.01, prefill: 0.015, pair: 0)
        observe(&model, slow, steps: 60, &random)
        let work = work(decodes: 4, prefill: 100)
        #expect(model.time(work) > .seconds(slow.time(work) * 0.6))
    }

    @Test func `many steps without a prefill do not change the cost of prefill`() {
        var random = SeededGenerator(seed: 4)
        var model = StepTimeModel()
        let machine = Machine(step: 0.02, decode: 0.002, prefill: 0.003, pair: 0)
        observe(&model, machine, steps: 100, &random)
        let decodes = work(decodes: 3, prefill: 0)
        for _ in 0..<20_000 { model.observe(decodes, took: .seconds(machine.time(decodes))) }
        let mixed = work(decodes: 3, prefill: 100)
        #expect((0.8...1.2).contains(model.time(mixed) / .seconds(machine.time(mixed))))
    }

    @Test func `invalid times have no effect`() {
        var model = StepTimeModel()
        for time in [Duration.zero, .seconds(-1), .seconds(1_000_000), .nanoseconds(1)] {
            model.observe(work(decodes: 1, prefill: 3), took: time)
            model.observe(StepWork(), took: time)
        }
        #expect(model.time(work(decodes: 2, prefill: 8)) >= .zero)
        #expect((0...9).contains(model.prefillTokens(from: 0, atMost: 9, beside: StepWork(), within: .seconds(1))))
    }
}
