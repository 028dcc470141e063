import Scheduling
import TestSupport
import Testing

/// Several batches in flight: seeded arrivals, aborts, deadlines and deferrals in a small pool, with a scripted model that computes
/// when a batch begins and samples when it ends.
@Suite struct PipelineSimulationTests {
    private struct Failure: Error {
        var reason: String
    }

    private struct Simulation {
        var random: SeededGenerator
        let geometry: KVCacheGeometry
        let depth: Int
        var scheduler: Scheduler
        var memory: SimulatedMemory
        var arrivals: [Script] = []
        var live: [SequenceID: Script] = [:]
        /// Batches that have begun, with the contents behind each of their sequences.
        var begun: [(batch: ScheduledBatch, last: [SequenceID: [UInt64]])] = []
        var texts: [SequenceID: [Int32]] = [:]
        var now = Duration.zero
        /// Sequences that cannot sample now.
        var deferred: Set<SequenceID> = []
        var (most, preemptions, aborts, followers, deferrals, expiries) = (0, 0, 0, 0, 0, 0)

        init(seed: UInt64) {
            var random = SeededGenerator(seed: seed)
            arrivals = (0..<Int.random(in: 2...14, using: &random)).map { index in
                .random(index, promptTokens: 1...40, maxTokens: 1...30, arrivals: 0...12, &random)
            }
            depth = .random(in: 1...5, using: &random)
            let parts = [(1, 3), (1, 1), (1, 0), (0, 2)].randomElement(using: &random) ?? (1, 1)
            var geometry = KVCacheGeometry(
                blockSize: .random(in: 1...5, using: &random), globalBlocksPerLogicalBlock: parts.0,
                slidingBlocksPerLogicalBlock: parts.1, slidingWindow: .random(in: 1...30, using: &random),
                totalBlocks: 0)
            let longest = arrivals.map { $0.promptTokens + $0.maxTokens }.max() ?? 1
            var limits = SchedulerLimits(
                maxSequences: .random(in: 1...8, using: &random), maxBatchedTokens: .random(in: 2...24, using: &random),
                maxQueuedSequences: 20)
            limits.maxDraftTokens = random.oneIn(2) ? 6 : 0
            geometry.totalBlocks =
                geometry.peakBlocks(tokens: longest, chunk: limits.maxBatchedTokens)
                * .random(in: 100...300, using: &random) / 100
            scheduler = Scheduler(limits: limits, geometry: geometry, cachesPrefixes: random.oneIn(2))
            scheduler.maxBatchesInFlight = depth
            memory = SimulatedMemory(geometry: geometry)
            self.geometry = geometry
            self.random = random
        }

        func expect(_ holds: Bool, _ promise: @autoclosure () -> String) throws(Failure) {
            if !holds { throw Failure(reason: promise()) }
        }

        mutating func run() throws(Failure) {
            for step in 0..<4000 {
                now += .milliseconds(1)
                for script in arrivals where script.arrival == step { try arrive(script) }
                arrivals.removeAll { $0.arrival <= step }
                if arrivals.isEmpty, live.isEmpty, begun.isEmpty { break }
                while begun.count < depth, try begin() {}
                try expect(begun.count > 0 || live.isEmpty || !deferred.isEmpty, "nothing is computed")
                most = max(most, begun.count)
                for id in live.keys.sorted() where random.oneIn(300) {
                    scheduler.abort(id)
                    end(id)
                    aborts += 1
                    try checkState()
                }
                if !begun.isEmpty { try end() }
            }
            try expect(live.isEmpty && begun.isEmpty && scheduler.isIdle, "sequences are left")
            let statistics = scheduler.statistics
            try expect(
                statistics.freeBlocks + statistics.cachedBlocks == geometry.totalBlocks, "a block is left allocated")
        }

        private func checkState() throws(Failure) {
            let violation = scheduler.violatedInvariant()
            try expect(violation == nil, violation ?? "")
        }

        private mutating func end(_ id: SequenceID) {
            live[id] = nil
            deferred.remove(id)
        }

        private mutating func arrive(_ script: Script) throws(Failure) {
            let deadline = random.oneIn(8) ? now + .milliseconds(Int.random(in: 1...60, using: &random)) : nil
            do throws(AdmissionError) {
                try scheduler.add(
                    script.id, prompt: script.tokens, maxTokens: script.maxTokens,
                    parameters: SchedulingParameters(deadline: deadline))
                live[script.id] = script
            } catch {
                throw Failure(reason: "\(script.id) is refused: \(error)")
            }
        }

        private mutating func begin() throws(Failure) -> Bool {
            var offers: [SequenceID: Int] = [:]
            for (id, script) in live where script.sampledTokens > 0 && !scheduler.isInFlight(id) { offers[id] = 3 }
            let inFlight = Set(live.keys.filter { scheduler.isInFlight($0) })
            let decoding = Set(
                live.values.filter { $0.isRunning && $0.tokens.count - $0.computedTokens <= 1 }.map(\.id))
            for id in deferred.sorted() where random.oneIn(4) { deferred.remove(id) }
            let batch = scheduler.schedule(now: now, drafts: offers, deferred: deferred)
            for id in batch.expired {
                end(id)
                expiries += 1
            }
            for id in batch.preempted {
                try expect(!inFlight.contains(id), "\(id) is in flight and preempted")
                live[id]?.isRunning = false
                live[id]?.contents = []
                live[id]?.computedTokens = 0
                preemptions += 1
            }
            try checkState()
            var last: [SequenceID: [UInt64]] = [:]
            let decodes = batch.sequences.count { decoding.contains($0.id) }
            try expect(
                decodes <= (decoding.count + depth - 1) / depth,
                "\(decodes) of \(decoding.count) decodes are in one of \(depth) batches")
            for entry in batch.sequences {
                guard var script = live[entry.id] else { throw Failure(reason: "\(entry.id) has ended") }
                if !script.isRunning {
                    script.isRunning = true
                    // What is cached need not be computed.
                    script.computedTokens = entry.tokens.lowerBound
                }
                let root = SimulatedMemory.root(tag: 0)
                if inFlight.contains(entry.id) {
                    followers += 1
                    try expect(
                        entry.tokens.lowerBound == script.contents.count, "\(entry.id) does not follow its own chunk")
                }
                for position in script.contents.count..<entry.tokens.upperBound - entry.drafts {
                    script.contents.append(
                        SimulatedMemory.content(of: script.tokens[position], after: script.contents.last ?? root))
                }
                script.drafts = Script.drafts(entry.drafts, after: script.contents.last ?? root, &random)
                var contents = script.contents
                for draft in script.drafts {
                    contents.append(SimulatedMemory.content(of: draft, after: contents.last ?? root))
                }
                let tables = scheduler.blockTables(entry.id)
                let problem = memory.compute(
                    entry, tokens: script.tokens + script.drafts, contents: contents, root: root, tables: tables)
                try expect(problem == nil, problem ?? "")
                last[entry.id] = memory.lastContents(entry, tables: tables)
                live[entry.id] = script
            }
            if batch.sequences.isEmpty { return false }
            begun.append((batch, last))
            return true
        }

        private mutating func end() throws(Failure) {
            let (batch, last) = begun.removeFirst()
            let late = Set(
                batch.sequences.filter { $0.samples && live[$0.id] != nil && random.oneIn(8) }.map(\.id))
            scheduler.advance(batch, deferring: late)
            for entry in batch.sequences {
                guard var script = live[entry.id] else { continue }
                script.computedTokens = entry.tokens.upperBound - entry.drafts
                defer { if live[entry.id] != nil { live[entry.id] = script } }
                guard entry.samples else { continue }
                guard !late.contains(entry.id) else {
                    // Its last token is computed again.
                    script.computedTokens -= 1
                    deferred.insert(entry.id)
                    deferrals += 1
                    continue
                }
                var sampled: [Int32] = []
                var isDone = false
                for content in last[entry.id] ?? [] {
                    let token = Script.sampledToken(after: content)
                    sampled.append(token)
                    script.tokens.append(token)
                    isDone = script.sampledTokens == script.lastToken
                    guard !isDone, sampled.count <= script.drafts.count, script.drafts[sampled.count - 1] == token
                    else { break }
                }
                script.computedTokens += sampled.count - 1
                // Accepted drafts are in the cache.
                for token in script.tokens[script.contents.count..<script.tokens.count - 1] {
                    script.contents.append(
                        SimulatedMemory.content(of: token, after: script.contents.last ?? SimulatedMemory.root(tag: 0)))
                }
                if isDone {
                    texts[entry.id] = script.tokens
                    end(entry.id)
                    scheduler.finish(entry.id)
                } else {
                    scheduler.appendTokens(sampled, to: entry.id)
                }
            }
            try checkState()
        }
    }

    /// The tokens of the model if nothing else runs.
    private static func expectedText(of script: Script) -> [Int32] {
        var tokens = script.tokens
        var content = tokens.reduce(SimulatedMemory.root(tag: 0)) { SimulatedMemory.content(of: $1, after: $0) }
        for _ in 0..<script.lastToken {
            tokens.append(Script.sampledToken(after: content))
            content = SimulatedMemory.content(of: tokens[tokens.count - 1], after: content)
        }
        return tokens
    }

    @Test func `every sequence gets its text, whatever is in flight`() {
        var (finished, preemptions, aborts, followers, deepest, deferrals, expiries) = (0, 0, 0, 0, 0, 0, 0)
        for seed in 0..<UInt64(TestEffort.count(300, all: 3000)) {
            var simulation = Simulation(seed: seed)
            let scripts = simulation.arrivals
            do throws(Failure) { try simulation.run() } catch {
                Issue.record("seed \(seed): \(error.reason)")
                return
            }
            for script in scripts {
                guard let text = simulation.texts[script.id] else { continue }
                #expect(text == Self.expectedText(of: script), "seed \(seed), \(script.id)")
                finished += 1
            }
            preemptions += simulation.preemptions
            aborts += simulation.aborts
            followers += simulation.followers
            deferrals += simulation.deferrals
            expiries += simulation.expiries
            deepest = max(deepest, simulation.most)
        }
        #expect(finished > 1000 && preemptions > 50 && aborts > 20 && followers > 100 && deepest == 5)
        #expect(deferrals > 1000 && expiries > 50)
    }
}
