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
        let topic: Int
        let promptTokens: Int
        let maxTokens: Int
        /// After how many sampled tokens the model ends it.
        let lastToken: Int
        /// Prompt and sampled tokens.
        var tokens: [Int32]
        /// Of the tokens that have been computed or found in this run.
        var contents: [Int] = []
        var computedTokens = 0
        /// How many times it has been started.
        var runs = 0
        var isRunning = false
        var sampledTokens: Int { tokens.count - promptTokens }
    }

    /// How often something of interest came about.
    struct Hits {
        var all = 0
        var afterPreemption = 0
        var behindWindow = 0
        var ofConversation = 0
    }

    private(set) var trace: [ScheduledBatch] = []
    private(set) var preemptions: UInt64 = 0
    private(set) var ended: [SequenceID: Int] = [:]
    private(set) var refusals: [AdmissionError] = []
    private(set) var accepted: Set<SequenceID> = []
    private(set) var hits = Hits()

    private let geometry: KVCacheGeometry
    private let cachesPrefixes: Bool
    private var random: SeededGenerator
    private var scheduler: Scheduler
    private var memory: SimulatedMemory
    private var arrivals: [Script] = []
    /// Accepted and not ended, in order of arrival.
    private var live: [Script] = []
    private var step = 0
    /// Conversations that may still go on.
    private var comingTurns: Int
    /// Steps that suffice.
    private var bound: Int

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        // In a crowd short prompts are admitted together and outgrow the pool later.
        let isCrowd = random.oneIn(3)
        for index in 0..<Int.random(in: 1...12, using: &random) {
            let maxTokens = Int.random(in: isCrowd ? 30...60 : random.oneIn(2) ? 1...60 : 1...8, using: &random)
            let promptTokens = Int.random(in: 1...(!isCrowd && random.oneIn(3) ? 40 : 8), using: &random)
            let topic = Int.random(in: 0..<3, using: &random)
            arrivals.append(
                Script(
                    id: SequenceID(UInt64(index)), arrival: .random(in: 0...(isCrowd ? 4 : 20), using: &random),
                    topic: topic, promptTokens: promptTokens, maxTokens: maxTokens,
                    lastToken: random.oneIn(2) ? maxTokens : .random(in: 1...maxTokens, using: &random),
                    tokens: (0..<promptTokens).map { Self.token(topic, at: $0, &random) }))
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

        cachesPrefixes = !random.oneIn(4)
        comingTurns = random.oneIn(2) ? 0 : .random(in: 1...6, using: &random)
        // The oldest sequence computes at least one token a step, so this many steps suffice after the last arrival.
        bound = 21 + arrivals.reduce(0) { $0 + $1.promptTokens + $1.maxTokens }
        self.geometry = geometry
        self.random = random
        scheduler = Scheduler(limits: limits, geometry: geometry, cachesPrefixes: cachesPrefixes)
        memory = SimulatedMemory(geometry: geometry)
    }

    /// Runs until nothing is left, or until a promise is broken.
    mutating func run() throws(Failure) {
        while !arrivals.isEmpty || !live.isEmpty {
            try expect(step < bound, "not done after \(bound) steps")
            try runStep()
            step += 1
        }
        try expect(scheduler.isIdle, "something is left in the scheduler")
        try expect(scheduler.schedule() == ScheduledBatch(), "an idle scheduler schedules")
        let statistics = scheduler.statistics
        try expect(
            statistics.freeBlocks + statistics.cachedBlocks == geometry.totalBlocks, "a block is held when nothing runs"
        )
        try expect(cachesPrefixes || statistics.cachedBlocks == 0, "a block is cached though nothing is to be")
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
                try scheduler.add(
                    script.id, prompt: script.tokens, maxTokens: script.maxTokens, salt: [UInt8(script.topic / 2)])
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
        let script = live.remove(at: index)
        ended[id, default: 0] += 1
        if comingTurns > 0, script.sampledTokens > 0 { addTurn(after: script) }
    }

    /// The conversation goes on: what it has come to, and a few words more.
    private mutating func addTurn(after script: Script) {
        comingTurns -= 1
        let words = Int.random(in: 1...6, using: &random)
        let tokens = script.tokens + (0..<words).map { Self.token(script.topic, at: script.tokens.count + $0, &random) }
        let maxTokens = Int.random(in: 1...8, using: &random)
        arrivals.append(
            Script(
                id: SequenceID(UInt64(100 + comingTurns)), arrival: step + .random(in: 1...5, using: &random),
                topic: script.topic, promptTokens: tokens.count, maxTokens: maxTokens, lastToken: maxTokens,
                tokens: tokens))
        bound += 5 + tokens.count + maxTokens
    }

    /// Sequences of one topic mostly say the same.
    private static func token(_ topic: Int, at position: Int, _ random: inout SeededGenerator) -> Int32 {
        random.oneIn(30) ? Int32.random(in: 0..<3, using: &random) : Int32(10 + topic % 2 + position % 7)
    }

    /// The scripted model: every sequence that samples goes on until its last token or the model's length.
    private mutating func sample(_ batch: ScheduledBatch) {
        for scheduled in batch.sequences {
            guard let index = live.firstIndex(where: { $0.id == scheduled.id }) else { continue }
            live[index].computedTokens = scheduled.tokens.upperBound
            guard scheduled.samples else { continue }
            let token = Self.token(live[index].topic, at: live[index].tokens.count, &random)
            scheduler.appendToken(token, to: scheduled.id)
            live[index].tokens.append(token)
            let longest = scheduler.limits.maxModelLength ?? .max
            if live[index].sampledTokens == live[index].lastToken || live[index].tokens.count >= longest {
                end(scheduled.id)
            }
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
            statistics.freeBlocks + statistics.cachedBlocks + statistics.globalBlocks + statistics.slidingBlocks
                == geometry.totalBlocks,
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
            live[index].isRunning = false
        }
        try expect(
            Set(batch.preempted).isDisjoint(with: batch.sequences.map(\.id)), "a preempted sequence is scheduled")

        var last = -1
        var isPrefillSeen = false
        var firstTimers: [AdmittedSequence] = []
        for scheduled in batch.sequences {
            let (id, tokens) = (scheduled.id, scheduled.tokens)
            guard let index = live.firstIndex(where: { $0.id == id }) else {
                throw Failure(step: step, description: "\(id) is scheduled and has ended")
            }
            let isBeginning = !live[index].isRunning
            if isBeginning { try begin(index, hit: tokens.lowerBound, &firstTimers) }
            let script = live[index]
            try expect(index > last, "the batch is not in order of arrival, or has \(id) twice")
            last = index
            try expect(
                tokens.lowerBound == script.computedTokens && !tokens.isEmpty, "\(id) computes \(tokens) out of turn")
            try expect(tokens.upperBound <= script.tokens.count, "\(id) computes tokens that it does not have")
            try expect(
                scheduled.samples == (tokens.upperBound == script.tokens.count), "\(id) samples at the wrong place")
            let isDecode = script.tokens.count - script.computedTokens == 1
            try expect(!(isDecode && isPrefillSeen && !isBeginning), "\(id) decodes after a prefill")
            isPrefillSeen = isPrefillSeen || !isDecode
        }
        try expect(
            batch.admitted == firstTimers, "\(batch.admitted) are admitted, \(firstTimers) run for the first time")
    }

    /// A sequence starts behind what the cache has of it, which is whole slots and never all of it.
    private mutating func begin(
        _ index: Int, hit: Int, _ firstTimers: inout [AdmittedSequence]
    ) throws(Failure) {
        let id = live[index].id
        try expect(hit % geometry.blockSize == 0 && hit < live[index].tokens.count, "\(id) starts at \(hit)")
        try expect(cachesPrefixes || hit == 0, "\(id) starts at \(hit) without a cache")
        if live[index].runs == 0 { firstTimers.append(AdmittedSequence(id: id, cachedTokens: hit)) }
        if hit > 0 {
            hits.all += 1
            if live[index].runs > 0 { hits.afterPreemption += 1 }
            if geometry.firstSlidingSlot(forQueryAt: hit) > 0 { hits.behindWindow += 1 }
            if id.rawValue >= 100 { hits.ofConversation += 1 }
        }
        live[index].runs += 1
        live[index].isRunning = true
        live[index].computedTokens = hit
        live[index].contents = []
    }

    private mutating func compute(_ batch: ScheduledBatch) throws(Failure) {
        for scheduled in batch.sequences {
            guard let index = live.firstIndex(where: { $0.id == scheduled.id }) else { continue }
            let script = live[index]
            // Without a cache no run may read what another one left behind.
            let run = Int(script.id.rawValue) * 1000 + script.runs
            let root = cachesPrefixes ? -2 - script.topic / 2 : -100 - run
            var contents = script.contents
            while contents.count < scheduled.tokens.upperBound {
                contents.append(memory.content(of: script.tokens[contents.count], after: contents.last ?? root))
            }
            live[index].contents = contents
            let problem = memory.compute(scheduled, contents: contents, tables: scheduler.blockTables(scheduled.id))
            try expect(problem == nil, problem ?? "")
        }
    }
}
