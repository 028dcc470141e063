// One seeded simulation of a scheduler: arrivals, aborts, deadlines, slow clients and failed steps with a tiny pool, a virtual
// clock and a scripted model. It keeps its own record of every sequence and compares it after each step.

import Scheduling
import TestSupport

struct ScheduleSimulation {
    /// A violated property, with the step at which it was detected.
    struct Failure: Error, CustomStringConvertible {
        var step: Int
        var description: String
    }

    /// How a sequence ended.
    enum End: CaseIterable {
        case finished, aborted, cutOff, expired, failed
    }

    /// How often interesting events occurred.
    struct Hits {
        var all = 0
        var afterPreemption = 0
        var behindWindow = 0
        var ofConversation = 0
    }

    private(set) var trace: [ScheduledBatch] = []
    private(set) var ended: [SequenceID: [End]] = [:]
    /// Prompt and sampled tokens of finished sequences.
    private(set) var texts: [SequenceID: [Int32]] = [:]
    private var prompts: [SequenceID: [Int32]] = [:]
    private(set) var refusals: [AdmissionError] = []
    private(set) var accepted: Set<SequenceID> = []
    var hits = Hits()
    /// Prompts that were computed before earlier ones.
    var overtakings = 0
    /// Steps that computed tokens of several prompts.
    var sharedSteps = 0
    private(set) var wastedTokens = 0
    private(set) var acceptedDrafts = 0

    let geometry: KVCacheGeometry
    let cachesPrefixes: Bool
    private(set) var scheduler: Scheduler
    /// Accepted sequences that have not ended.
    var live: [Script] = []
    private(set) var step = 0
    private(set) var now = Duration.seconds(1000)
    /// Random numbers for the clients.
    private var random: SeededGenerator
    /// Random numbers for the machine.
    private var machine: SeededGenerator
    private var memory: SimulatedMemory
    private var arrivals: [Script] = []
    /// Conversations that may continue.
    private var comingTurns: Int
    /// A sufficient number of steps.
    private var bound: Int
    /// Seconds for a step, and for each token or pair of it.
    private let speculates: Bool
    /// Whether some sequences cannot sample when they should.
    private let defers: Bool
    /// Those that cannot sample now.
    private(set) var deferred: Set<SequenceID> = []
    private(set) var deferrals = 0
    /// Deferred sequences that were preempted.
    var deferredPreemptions = 0
    private let costs: (step: Double, decode: Double, prefill: Double, pair: Double)

    /// - Parameters:
    ///   - seed: determines the clients.
    ///   - machine: determines the limits, pool, cache and times of steps.
    init(seed: UInt64, machine machineSeed: UInt64 = 0) {
        var random = SeededGenerator(seed: seed)
        var machine = SeededGenerator(seed: seed &+ (machineSeed &+ 1) &* 0x9E37_79B9)
        // Many short prompts are admitted together and outgrow the pool later.
        let isCrowd = random.oneIn(3)
        for index in 0..<Int.random(in: 1...12, using: &random) {
            arrivals.append(
                .random(
                    index, promptTokens: 1...(!isCrowd && random.oneIn(3) ? 40 : 8),
                    maxTokens: isCrowd ? 20...50 : random.oneIn(2) ? 1...50 : 1...8,
                    arrivals: 0...(isCrowd ? 4 : 20), &random))
        }
        comingTurns = random.oneIn(2) ? 0 : .random(in: 1...6, using: &random)

        let maxSequences = Int.random(in: 1...8, using: &machine)
        var limits = SchedulerLimits(
            maxSequences: maxSequences, maxBatchedTokens: .random(in: 1...24, using: &machine),
            maxQueuedSequences: .random(in: 1...10, using: &machine),
            maxModelLength: random.oneIn(2) ? nil : .random(in: 30...90, using: &random),
            prefillPolicy: [
                .unbounded, .within(.milliseconds(Int.random(in: 1...100, using: &machine))), .interactive, .balanced,
            ].randomElement(using: &machine) ?? .balanced)
        limits.expertShare = machine.oneIn(2) ? 1 : 0.0625
        limits.minimumChunk = .random(in: 1...6, using: &machine)
        speculates = machine.oneIn(2)
        if speculates { limits.maxDraftTokens = .random(in: 1...8, using: &machine) }
        defers = machine.oneIn(2)
        costs = (
            .random(in: 0...0.02, using: &machine), .random(in: 0...0.01, using: &machine),
            .random(in: 0.0005...0.01, using: &machine), .random(in: 0...0.0005, using: &machine)
        )
        let parts = [(1, 3), (1, 1), (2, 1), (1, 0), (0, 1), (0, 2)].randomElement(using: &machine) ?? (1, 1)
        var geometry = KVCacheGeometry(
            blockSize: .random(in: 1...5, using: &machine), globalBlocksPerLogicalBlock: parts.0,
            slidingBlocksPerLogicalBlock: parts.1, slidingWindow: .random(in: 1...30, using: &machine), totalBlocks: 0)
        // Between too small for the longest sequence and just enough for two of them, so that sequences compete for blocks.
        let longest = arrivals.map { $0.promptTokens + $0.maxTokens }.max() ?? 1
        let peak = geometry.peakBlocks(tokens: longest, chunk: limits.maxBatchedTokens)
        geometry.totalBlocks = max(1, peak * .random(in: 70...200, using: &machine) / 100)

        cachesPrefixes = !machine.oneIn(4)
        // One running sequence computes at least one token per step; preempted tokens are computed again.
        bound = 21 + arrivals.reduce(0) { $0 + 4 * ($1.promptTokens + $1.maxTokens) }
        self.geometry = geometry
        self.random = random
        self.machine = machine
        scheduler = Scheduler(limits: limits, geometry: geometry, cachesPrefixes: cachesPrefixes)
        memory = SimulatedMemory(geometry: geometry)
    }

    /// Runs until nothing is left, or until a property is violated.
    mutating func run() throws(Failure) {
        while !arrivals.isEmpty || !live.isEmpty {
            try expect(step < bound, "not done after \(bound) steps")
            try runStep()
            step += 1
        }
        try expect(scheduler.isIdle, "something is left in the scheduler")
        try expect(scheduler.schedule(now: now) == ScheduledBatch(), "an idle scheduler schedules")
        let statistics = scheduler.statistics
        try expect(
            statistics.freeBlocks + statistics.cachedBlocks == geometry.totalBlocks,
            "a block is allocated when nothing runs"
        )
        try expect(cachesPrefixes || statistics.cachedBlocks == 0, "a block is cached though nothing is to be")
        try expect(
            statistics.wastedTokens == UInt64(wastedTokens),
            "\(statistics.wastedTokens) tokens are counted as wasted, \(wastedTokens) were")
        try expect(
            statistics.acceptedDraftTokens == UInt64(acceptedDrafts) && statistics.draftTokens >= statistics.drafts,
            "\(statistics.acceptedDraftTokens) drafts are counted as accepted, \(acceptedDrafts) were")
    }

    /// The tokens of the model for a prompt if nothing else runs: as many as were generated.
    func expectedText(of id: SequenceID) -> [Int32] {
        var tokens = prompts[id] ?? []
        var content = tokens.reduce(0 as UInt64) { SimulatedMemory.content(of: $1, after: $0) }
        while tokens.count < texts[id]?.count ?? 0 {
            tokens.append(Script.sampledToken(after: content))
            content = SimulatedMemory.content(of: tokens[tokens.count - 1], after: content)
        }
        return tokens
    }

    func expect(_ holds: Bool, _ promise: @autoclosure () -> String) throws(Failure) {
        if !holds { throw Failure(step: step, description: promise()) }
    }

    private mutating func runStep() throws(Failure) {
        addArrivals()
        abortSome(oneIn: 200)
        let before = live
        let offers = offerDrafts()
        for id in deferred.sorted() where machine.oneIn(4) { deferred.remove(id) }
        let batch = scheduler.schedule(now: now, drafts: offers, deferred: deferred)
        trace.append(batch)
        try check(batch, before, offers: offers)
        for id in batch.expired { end(id, .expired) }
        try compute(batch)
        abortSome(oneIn: 400)  // a client leaves while the step runs
        let time = stepTime(batch.work)
        now += time
        if machine.oneIn(300) {
            for sequence in batch.sequences { end(sequence.id, .failed) }
        } else {
            let late = defers ? Set(batch.sequences.filter(\.samples).map(\.id).filter { _ in machine.oneIn(5) }) : []
            scheduler.advance(batch, deferring: late)
            sample(batch, deferring: late)
            scheduler.observe(batch.work, took: time)
        }
        cutOffSlowClients()
        try checkState()
    }

    private mutating func addArrivals() {
        for var script in arrivals.filter({ $0.arrival <= step }).sorted(by: { $0.id < $1.id }) {
            script.deadline = script.patience.map { now + $0 }
            let parameters = SchedulingParameters(
                priority: script.priority, tenant: script.tenant, deadline: script.deadline)
            do throws(AdmissionError) {
                try scheduler.add(
                    script.id, prompt: script.tokens, maxTokens: script.maxTokens, parameters: parameters,
                    cacheSalt: script.cacheSalt)
                accepted.insert(script.id)
                live.append(script)
                prompts[script.id] = script.tokens
            } catch {
                refusals.append(error)
            }
        }
        arrivals.removeAll { $0.arrival <= step }
    }

    private mutating func abortSome(oneIn count: Int) {
        for id in live.map(\.id) where machine.oneIn(count) { end(id, .aborted) }
    }

    /// A client that is more than four tokens behind in reading is aborted.
    private mutating func cutOffSlowClients() {
        for script in live {
            guard let stepsPerRead = script.stepsPerRead, let firstRead = script.firstRead else { continue }
            if script.sampledTokens - (step - firstRead) / stepsPerRead > 4 { end(script.id, .cutOff) }
        }
    }

    private mutating func end(_ id: SequenceID, _ how: End) {
        guard let index = live.firstIndex(where: { $0.id == id }) else { return }
        let script = live.remove(at: index)
        deferred.remove(id)
        switch how {
        case .finished:
            texts[id] = script.tokens
            scheduler.finish(id)
        case .failed: scheduler.finish(id)
        case .aborted, .cutOff:
            scheduler.abort(id)
            wastedTokens += script.work
        case .expired: wastedTokens += script.work
        }
        ended[id, default: []].append(how)
        if comingTurns > 0, script.sampledTokens > 0 { addTurn(after: script) }
    }

    /// The next turn of the conversation: its tokens so far, and a few more.
    private mutating func addTurn(after script: Script) {
        comingTurns -= 1
        let words = Int.random(in: 1...6, using: &random)
        var turn = Script.random(
            100 + ended.count, promptTokens: 1...1, maxTokens: 1...8, arrivals: step + 1...step + 5, &random)
        let said = (0..<words).map { Script.promptToken(script.topic, at: script.tokens.count + $0, &random) }
        turn = Script(
            id: turn.id, arrival: turn.arrival, topic: script.topic, promptTokens: script.tokens.count + words,
            maxTokens: turn.maxTokens, lastToken: turn.lastToken, tokens: script.tokens + said,
            priority: turn.priority, tenant: script.tenant, patience: turn.patience, stepsPerRead: turn.stepsPerRead)
        arrivals.append(turn)
        bound += 5 + 4 * (turn.promptTokens + turn.maxTokens)
    }

    /// The time of a step: usually about its predicted cost, sometimes much more.
    private mutating func stepTime(_ work: StepWork) -> Duration {
        let seconds =
            costs.step + Double(work.decodeTokens) * costs.decode + Double(work.prefillTokens) * costs.prefill
            + Double(work.attentionPairs) * costs.pair
        return .seconds(seconds * .random(in: 0.8...1.2, using: &machine) * (machine.oneIn(20) ? 10 : 1) + 1e-5)
    }

    private mutating func offerDrafts() -> [SequenceID: Int] {
        guard speculates else { return [:] }
        var offers: [SequenceID: Int] = [:]
        for script in live where script.sampledTokens > 0 && !machine.oneIn(4) {
            offers[script.id] = .random(in: 1...5, using: &machine)
        }
        return offers
    }

    private mutating func compute(_ batch: ScheduledBatch) throws(Failure) {
        for scheduled in batch.sequences {
            guard let index = live.firstIndex(where: { $0.id == scheduled.id }) else { continue }
            var script = live[index]
            // Without a cache no run may read the blocks of an earlier one.
            let root = SimulatedMemory.root(
                tag: cachesPrefixes ? UInt64(script.topic / 2) : script.id.rawValue * 100 + UInt64(script.runs))
            var contents = script.contents
            while contents.count < scheduled.tokens.upperBound - scheduled.drafts {
                let parent = contents.last ?? root
                contents.append(SimulatedMemory.content(of: script.tokens[contents.count], after: parent))
            }
            live[index].contents = contents
            script.drafts = Script.drafts(scheduled.drafts, after: contents.last ?? root, &machine)
            live[index].drafts = script.drafts
            script.tokens += script.drafts
            for draft in script.drafts {
                contents.append(SimulatedMemory.content(of: draft, after: contents.last ?? root))
            }
            let problem = memory.compute(
                scheduled, tokens: script.tokens, contents: contents, root: root,
                tables: scheduler.blockTables(scheduled.id))
            try expect(problem == nil, problem ?? "")
            live[index].lastContents = memory.lastContents(scheduled, tables: scheduler.blockTables(scheduled.id))
        }
    }

    /// Every sampling sequence continues until its last token or the model's maximum length.
    private mutating func sample(_ batch: ScheduledBatch, deferring late: Set<SequenceID>) {
        for scheduled in batch.sequences {
            guard let index = live.firstIndex(where: { $0.id == scheduled.id }) else { continue }
            live[index].computedTokens = scheduled.tokens.upperBound - scheduled.drafts
            live[index].work += scheduled.tokens.count
            guard scheduled.samples else { continue }
            guard !late.contains(scheduled.id) else {
                // Its last token is computed again; if it is preempted in the meantime, all of them.
                live[index].computedTokens -= 1
                deferred.insert(scheduled.id)
                deferrals += 1
                bound += 40 + 4 * live[index].tokens.count
                continue
            }
            live[index].firstRead = live[index].firstRead ?? step
            let longest = scheduler.limits.maxModelLength ?? .max
            var sampled: [Int32] = []
            var isDone = false
            for content in live[index].lastContents {
                let token = Script.sampledToken(after: content)
                sampled.append(token)
                live[index].tokens.append(token)
                isDone = live[index].sampledTokens == live[index].lastToken || live[index].tokens.count >= longest
                let drafts = live[index].drafts
                guard !isDone, sampled.count <= drafts.count, drafts[sampled.count - 1] == token else { break }
            }
            if isDone {
                end(scheduled.id, .finished)
            } else {
                acceptedDrafts += sampled.count - 1
                live[index].computedTokens += sampled.count - 1
                scheduler.appendTokens(sampled, to: scheduled.id)
            }
        }
    }
}
