import Scheduling
import TestSupport

/// A scheduler that runs one sequence at a time on a virtual clock: a step takes about 0.5 s, a reply 35 to 60 s.
struct SerialMachine {
    var scheduler = makeScheduler(maxSequences: 1, maxQueuedSequences: 100, totalBlocks: 10_000)
    var now = Duration.zero
    private var random: SeededGenerator
    private var nextID: UInt64 = 1
    /// The number of tokens after which each sequence ends.
    private var lengths: [SequenceID: (sampled: Int, all: Int)] = [:]

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    var waiting: Int { scheduler.statistics.waiting }

    /// The estimated wait after this many sequences, from the scheduler's statistics, in seconds.
    func estimate(waiting: Int) -> Double {
        scheduler.statistics.wait(behind: QueueLoad(tokens: 0, sequences: waiting), maxRunning: 1) / .seconds(1)
    }

    /// Continues for a while with up to three queued replies; then returns the actual wait of a new probe, and the estimated
    /// one.
    mutating func probe() throws -> (estimate: Double, wait: Double) {
        let queue = Int.random(in: 0...3, using: &random)
        let end = now + .seconds(Double.random(in: 5...90, using: &random))
        while now < end || waiting > queue { try step(keeping: queue) }
        while waiting < queue { try add(Int.random(in: 70...120, using: &random)) }
        var other = self
        let probe = SequenceID(other.nextID)
        try other.add(1)
        while other.lengths[probe] != nil { try other.step(keeping: 0) }
        return (estimate(waiting: waiting), (other.now - now) / .seconds(1))
    }

    private mutating func add(_ tokens: Int) throws {
        let id = SequenceID(nextID)
        nextID += 1
        lengths[id] = (0, tokens)
        try scheduler.add(id, promptTokens: 4, maxTokens: tokens)
    }

    private mutating func step(keeping queue: Int) throws {
        while waiting < queue || scheduler.isIdle { try add(Int.random(in: 70...120, using: &random)) }
        let batch = scheduler.schedule(now: now)
        let time = Duration.seconds(Double.random(in: 0.4...0.6, using: &random))
        now += time
        scheduler.advance(batch)
        for scheduled in batch.sequences where scheduled.samples {
            let length = lengths[scheduled.id] ?? (0, 1)
            if length.sampled + 1 == length.all {
                lengths[scheduled.id] = nil
                scheduler.finish(scheduled.id)
            } else {
                lengths[scheduled.id] = (length.sampled + 1, length.all)
                scheduler.appendTokens([0], to: scheduled.id)
            }
        }
        scheduler.observe(batch.work, took: time)
    }
}
