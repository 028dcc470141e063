// One seeded life of a scheduler: arrivals, aborts and failed steps over a tiny pool, with a scripted model that ends
// sequences at random. Keeps its own account of every sequence and compares after each step.

import Scheduling
import TestSupport

struct ScheduleSimulation {
    /// A broken promise, with the step at which it was seen.
    struct Failure: Error, CustomStringConvertible {
        var step: Int
        var description: String
    }

    /// A sequence as the simulation knows it.
    struct Script {
        let id: SequenceID
        let arrival: Int
        let promptTokens: Int
        let maxTokens: Int
        /// After how many sampled tokens the model ends it.
        let lastToken: Int
        var sampledTokens = 0
        var computedTokens = 0
        /// How many times it began to be computed from its first token.
        var runs = 0
        var tokens: Int { promptTokens + sampledTokens }
    }

    private(set) var trace: [ScheduledBatch] = []
    private(set) var preemptions: UInt64 = 0
    private(set) var ended: [SequenceID: Int] = [:]
    private(set) var refusals: [AdmissionError] = []
    private(set) var accepted: Set<SequenceID> = []

    private let geometry: KVCacheGeometry
    private var random: SeededGenerator
    private var scheduler: Scheduler
    private var memory: SimulatedMemory
    private var arrivals: [Script] = []
    /// Accepted and not ended, in order of arrival.
    private var live: [Script] = []
    private var step = 0

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        // In a crowd short prompts are admitted together and outgrow the pool later.
        let isCrowd = random.oneIn(3)
        for index in 0..<Int.random(in: 1...12, using: &random) {
            let maxTokens = Int.random(in: isCrowd ? 30...60 : random.oneIn(2) ? 1...60 : 1...8, using: &random)
            arrivals.append(
                Script(
                    id: SequenceID(UInt64(index)), arrival: .random(in: 0...(isCrowd ? 4 : 20), using: &random),
                    promptTokens: .random(in: 1...(!isCrowd && random.oneIn(3) ? 40 : 8), using: &random),
                    maxTokens: maxTokens,
                    lastToken: random.oneIn(2) ? maxTokens : .random(in: 1...maxTokens, using: &random)))
        }
        let limits = SchedulerLimits(
            maxSequences: .random(in: 1...8, using: &random), maxBatchedTokens: .random(in: 1...24, using: &random),
            maxQueuedSequences: .random(in: 1...10, using: &random),
            maxModelLength: random.oneIn(2) ? nil : .random(in: 30...90, using: &random))
        let parts = [(1, 3), (1, 1), (2, 1), (1, 0), (0, 1), (0, 2)].randomElement(using: &random) ?? (1, 1)
        var geometry = KVCacheGeometry(
            blockSize: .random(in: 1...5, using: &random), globalBlocksPerSlot: parts.0, slidingBlocksPerSlot: parts.1,
            slidingWindow: .random(in: 1...30, using: &random), totalBlocks: 0)
        // Between too small for the longest sequence and just enough for two of them: the pool is what all fight for.
        let longest = arrivals.map { $0.promptTokens + $0.maxTokens }.max() ?? 1
        let peak = geometry.peakBlocks(tokens: longest, chunk: limits.maxBatchedTokens)
        geometry.totalBlocks = max(1, peak * .random(in: 70...200, using: &random) / 100)

        self.geometry = geometry
        self.random = random
        scheduler = Scheduler(limits: limits, geometry: geometry)
        memory = SimulatedMemory(geometry: geometry)
    }

    /// Runs until nothing is left, or until a promise is broken.
    mutating func run() throws(Failure) {
        // The oldest sequence computes at least one token a step, so this many steps suffice after the last arrival.
        let bound = 21 + arrivals.reduce(0) { $0 + $1.promptTokens + $1.maxTokens }
        while !arrivals.isEmpty || !live.isEmpty {
            try expect(step < bound, "not done after \(bound) steps")
            try runStep()
            step += 1
        }
        try expect(scheduler.isIdle, "something is left in the scheduler")
        try expect(scheduler.schedule() == ScheduledBatch(), "an idle scheduler schedules")
        try expect(scheduler.statistics.freeBlocks == geometry.totalBlocks, "a block is held when nothing runs")
        preemptions = scheduler.statistics.preemptions
    }

    private mutating func runStep() throws(Failure) {
        addArrivals()
        abortSome(oneIn: 200)
        let batch = scheduler.schedule()
        trace.append(batch)
        try check(batch)
        try compute(batch)
        abortSome(oneIn: 400)  // a client leaves while the step runs
        if random.oneIn(300) {
            for sequence in batch.sequences { end(sequence.id) }
        } else {
            scheduler.advance(batch)
            sample(batch)
        }
        try checkState()
    }

    private mutating func addArrivals() {
        let now = step
        for script in arrivals where script.arrival <= now {
            do throws(AdmissionError) {
                try scheduler.add(script.id, promptTokens: script.promptTokens, maxTokens: script.maxTokens)
                accepted.insert(script.id)
                live.append(script)
            } catch {
                refusals.append(error)
            }
        }
        arrivals.removeAll { $0.arrival <= now }
    }

    private mutating func abortSome(oneIn count: Int) {
        for id in live.map(\.id) where random.oneIn(count) { end(id) }
    }

    private mutating func end(_ id: SequenceID) {
        scheduler.finish(id)
        guard let index = live.firstIndex(where: { $0.id == id }) else { return }
        live.remove(at: index)
        ended[id, default: 0] += 1
    }

    /// The scripted model: every sequence that samples goes on until its last token or the model's length.
    private mutating func sample(_ batch: ScheduledBatch) {
        for scheduled in batch.sequences {
            guard let index = live.firstIndex(where: { $0.id == scheduled.id }) else { continue }
            live[index].computedTokens = scheduled.tokens.upperBound
            guard scheduled.samples else { continue }
            scheduler.appendToken(scheduled.id)
            live[index].sampledTokens += 1
            let longest = scheduler.limits.maxModelLength ?? .max
            if live[index].sampledTokens == live[index].lastToken || live[index].tokens >= longest { end(scheduled.id) }
        }
    }
}

extension ScheduleSimulation {
    private func expect(_ holds: Bool, _ promise: @autoclosure () -> String) throws(Failure) {
        if !holds { throw Failure(step: step, description: promise()) }
    }

    private func checkState() throws(Failure) {
        let violation = scheduler.violatedInvariant()
        try expect(violation == nil, violation ?? "")
        let statistics = scheduler.statistics
        try expect(statistics.running + statistics.waiting == live.count, "a sequence is lost")
        try expect(
            statistics.freeBlocks + statistics.globalBlocks + statistics.slidingBlocks == geometry.totalBlocks,
            "the blocks do not add up")
    }

    /// What the scheduler promises of a batch, before it runs.
    private mutating func check(_ batch: ScheduledBatch) throws(Failure) {
        try expect(batch.tokenCount <= scheduler.limits.maxBatchedTokens, "the budget is exceeded")
        try expect(scheduler.statistics.running <= scheduler.limits.maxSequences, "too many run")
        try expect(batch.sequences.first?.id == live.first?.id, "the oldest does not advance")
        for id in batch.preempted {
            guard let index = live.firstIndex(where: { $0.id == id }) else { continue }
            try expect(live[index].runs > 0, "\(id) is preempted and never ran")
            live[index].computedTokens = 0
        }
        try expect(
            Set(batch.preempted).isDisjoint(with: batch.sequences.map(\.id)), "a preempted sequence is scheduled")

        var last = -1
        var isPrefillSeen = false
        var firstTimers: [SequenceID] = []
        for scheduled in batch.sequences {
            let (id, tokens) = (scheduled.id, scheduled.tokens)
            guard let index = live.firstIndex(where: { $0.id == id }) else {
                throw Failure(step: step, description: "\(id) is scheduled and has ended")
            }
            let script = live[index]
            try expect(index > last, "the batch is not in order of arrival, or has \(id) twice")
            last = index
            try expect(
                tokens.lowerBound == script.computedTokens && !tokens.isEmpty, "\(id) computes \(tokens) out of turn")
            try expect(tokens.upperBound <= script.tokens, "\(id) computes tokens that it does not have")
            try expect(scheduled.samples == (tokens.upperBound == script.tokens), "\(id) samples at the wrong place")
            let isDecode = script.tokens - script.computedTokens == 1
            try expect(!(isDecode && isPrefillSeen && script.computedTokens > 0), "\(id) decodes after a prefill")
            isPrefillSeen = isPrefillSeen || !isDecode
            if script.runs == 0 { firstTimers.append(id) }
            if script.computedTokens == 0 { live[index].runs += 1 }
        }
        try expect(
            batch.admitted == firstTimers, "\(batch.admitted) are admitted, \(firstTimers) run for the first time")
    }

    private mutating func compute(_ batch: ScheduledBatch) throws(Failure) {
        for scheduled in batch.sequences {
            guard let script = live.first(where: { $0.id == scheduled.id }) else { continue }
            let problem = memory.compute(scheduled, run: script.runs, tables: scheduler.blockTables(scheduled.id))
            try expect(problem == nil, problem ?? "")
        }
    }
}
