import Scheduling
import Testing

/// Prompts on a machine whose layers are divided into stages, on a virtual clock.
@Suite struct PrefillPipelineTests {
    private struct Pipeline {
        let machine: MixtureMachine
        /// Each stage's share of a step's time.
        let shares: [Double]
        /// The time of a pair of a query and a key, in addition to the machine's.
        var secondsPerPair = 0.0
        var scheduler: Scheduler
        /// The time at which each stage has computed all its steps. The first stage also schedules.
        private var free: [Double]
        private var nextID: UInt64 = 1
        /// The numbers of tokens of the steps.
        private(set) var sizes: [Int] = []

        init(_ machine: MixtureMachine, shares: [Double]) {
            self.machine = machine
            self.shares = shares
            free = [Double](repeating: 0, count: shares.count)
            scheduler = makeScheduler(
                maxSequences: 64, maxBatchedTokens: 512, maxQueuedSequences: 1000, window: 2048, totalBlocks: 100_000,
                expertShare: MixtureMachine.expertShare)
            scheduler.maxBatchesInFlight = shares.count
            scheduler.overlap = shares.max().map { 1 / $0 } ?? 1
        }

        private func seconds(_ work: StepWork) -> Double {
            machine.seconds(tokens: work.prefillTokens) + Double(work.attentionPairs) * secondsPerPair
        }

        /// Returns the time in which prompts that arrive together are computed.
        mutating func run(prompts: Int, tokens: Int) throws -> Double {
            for _ in 0..<prompts {
                try scheduler.add(SequenceID(nextID), promptTokens: tokens, maxTokens: 1)
                nextID += 1
            }
            sizes = []
            var begun: [(batch: ScheduledBatch, begin: Double, end: Double)] = []
            let begin = free.max() ?? 0
            free = free.map { _ in begin }
            while !scheduler.isIdle || !begun.isEmpty {
                while begun.count < shares.count, !scheduler.isIdle {
                    let batch = scheduler.schedule(now: .seconds(free[0]))
                    guard batch.tokenCount > 0 else { break }
                    sizes.append(batch.tokenCount)
                    let (start, time) = (free[0], seconds(batch.work))
                    var end = start
                    for (stage, share) in shares.enumerated() {
                        end = max(end, free[stage]) + share * time
                        free[stage] = end
                    }
                    begun.append((batch, start, end))
                }
                let step = begun.removeFirst()
                free[0] = max(free[0], step.end)
                scheduler.advance(step.batch)
                scheduler.observe(
                    step.batch.work, took: .seconds(free[0] - step.begin), computing: .seconds(seconds(step.batch.work))
                )
                for entry in step.batch.sequences where entry.samples { scheduler.finish(entry.id) }
                #expect(scheduler.violatedInvariant() == nil)
            }
            return (free.max() ?? 0) - begin
        }
    }

    /// Returns the time of prompts relative to that of one step after another, after the scheduler has learned from a few rounds.
    private func relativeTime(
        _ machine: MixtureMachine, shares: [Double], prompts: Int, tokens: Int
    ) throws -> Double {
        var pipeline = Pipeline(machine, shares: shares)
        for _ in 0..<6 { _ = try pipeline.run(prompts: prompts, tokens: tokens) }
        let serial = Double(prompts * tokens) / 512 * machine.seconds(tokens: 512)
        return try pipeline.run(prompts: prompts, tokens: tokens) / serial
    }

    @Test(arguments: [MixtureMachine.nano, .small])
    func `one prompt of a single step is computed by all stages at the same time`(_ machine: MixtureMachine) throws {
        #expect(try relativeTime(machine, shares: [0.5, 0.5], prompts: 1, tokens: 512) < 0.77)
        #expect(
            try relativeTime(machine, shares: [Double](repeating: 0.125, count: 8), prompts: 1, tokens: 512) < 0.4)
    }

    @Test(arguments: [MixtureMachine.nano, .small])
    func `eight prompts need little more than half the time on two stages`(_ machine: MixtureMachine) throws {
        #expect(try relativeTime(machine, shares: [0.5, 0.5], prompts: 8, tokens: 512) < 0.56)
        #expect(try relativeTime(machine, shares: [0.55, 0.45], prompts: 8, tokens: 512) < 0.605)
    }

    @Test(arguments: [MixtureMachine.nano, .small])
    func `the first prompt is divided before any step has been measured`(_ machine: MixtureMachine) throws {
        var pipeline = Pipeline(machine, shares: [0.5, 0.5])
        #expect(try pipeline.run(prompts: 1, tokens: 512) < 0.8 * machine.seconds(tokens: 512))
    }

    /// The time of a prompt that attends to many keys is not in its tokens.
    @Test func `a prompt whose attention takes most of the time is divided`() throws {
        var pipeline = Pipeline(MixtureMachine(step: 0.001, experts: 0.001, token: 0), shares: [0.5, 0.5])
        pipeline.secondsPerPair = 1e-6
        for _ in 0..<6 {
            _ = try pipeline.run(prompts: 1, tokens: 512)
            #expect(pipeline.sizes.count > 2)
        }
    }

    /// A decode waits for all weights that it reads, but a large step computes meanwhile.
    @Test func `slow decodes do not change the steps of prompts`() throws {
        var pipeline = Pipeline(.small, shares: [0.5, 0.5])
        for _ in 0..<6 { _ = try pipeline.run(prompts: 8, tokens: 512) }
        let sizes = pipeline.sizes
        for step in 0..<300 {
            var decode = StepWork()
            decode.decodeTokens = [1, 8, 16][step % 3]
            let time = MixtureMachine(step: 0.001, experts: 0.2, token: 0).seconds(tokens: decode.decodeTokens)
            pipeline.scheduler.observe(decode, took: .seconds(time), computing: .seconds(time))
        }
        _ = try pipeline.run(prompts: 8, tokens: 512)
        #expect(pipeline.sizes == sizes)
    }

    /// The first steps of requests that arrive together are small, because not all requests have arrived. On a busy machine they are
    /// also slow.
    @Test func `slow first steps do not change the steps of later prompts`() throws {
        var pipeline = Pipeline(.small, shares: [0.5, 0.5])
        for _ in 0..<6 { _ = try pipeline.run(prompts: 8, tokens: 512) }
        let sizes = pipeline.sizes
        for step in 0..<60 {
            var work = StepWork()
            work.prefillTokens = step % 2 == 0 ? 16 : 64
            let time = 4 * MixtureMachine.small.seconds(tokens: work.prefillTokens)
            pipeline.scheduler.observe(work, took: .seconds(time), computing: .seconds(time))
        }
        _ = try pipeline.run(prompts: 8, tokens: 512)
        #expect(pipeline.sizes == sizes)
    }

    @Test func `steps have equal sizes, which grow with the number of tokens`() throws {
        var pipeline = Pipeline(.small, shares: [0.5, 0.5])
        for _ in 0..<6 { _ = try pipeline.run(prompts: 1, tokens: 512) }
        let small = pipeline.sizes
        #expect(small.count > 2 && (small.max() ?? 0) - (small.min() ?? 0) < 64)
        _ = try pipeline.run(prompts: 64, tokens: 512)
        #expect(pipeline.sizes.dropLast().allSatisfy { $0 >= 448 })
    }

    @Test func `without other stages, a step has as many tokens as the budget allows`() throws {
        var pipeline = Pipeline(.small, shares: [1])
        for _ in 0..<6 {
            _ = try pipeline.run(prompts: 1, tokens: 512)
            #expect(pipeline.sizes == [512])
        }
    }

    /// A stage computes one step at a time, so a stream waits for the steps of others.
    @Test func `a prompt does not delay a stream whose decode is in flight`() throws {
        func chunk(isInFlight: Bool) throws -> Int {
            var scheduler = makeScheduler(
                maxSequences: 64, maxBatchedTokens: 512, maxQueuedSequences: 100, totalBlocks: 100_000,
                prefillPolicy: .within(.milliseconds(20)))
            let machine = MixtureMachine.small
            func end(_ batch: ScheduledBatch) {
                scheduler.advance(batch)
                let time = Duration.seconds(machine.seconds(tokens: batch.tokenCount))
                scheduler.observe(batch.work, took: time, computing: time)
                for entry in batch.sequences where entry.samples { scheduler.appendToken(entry.id) }
            }
            try scheduler.add(SequenceID(1), promptTokens: 100, maxTokens: 1000)
            for _ in 0..<50 { end(scheduler.schedule()) }
            scheduler.maxBatchesInFlight = 2
            scheduler.overlap = 2
            if isInFlight { #expect(scheduler.schedule().ranges == [SequenceID(1): 149..<150]) }
            try scheduler.add(SequenceID(2), promptTokens: 4000, maxTokens: 10)
            let tokens = scheduler.schedule().ranges[SequenceID(2)]?.count ?? 0
            #expect(machine.seconds(tokens: tokens) < 0.03)
            return tokens
        }
        let (inFlight, beside) = (try chunk(isInFlight: true), try chunk(isInFlight: false))
        #expect(inFlight >= beside && beside > 0)
    }
}
