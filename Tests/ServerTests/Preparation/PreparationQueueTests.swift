import Testing

@testable import Server

/// Whose turn it is, on a clock of the test's own.
@Suite struct PreparationQueueTests {
    private var now = ContinuousClock.now

    @Test mutating func `what a tenant got while CPUs were idle delays its small job by the longest lead at most`() {
        var queue = PreparationQueue(concurrency: 3)
        let many = [queue.add(tenant: "many"), queue.add(tenant: "many")]
        let one = queue.add(tenant: "one")
        for _ in 0..<3 { _ = queue.next(now: now) }
        // Ten seconds in which nobody waits: one tenant has twice as much as the other.
        for _ in 0..<10_000 {
            now += .milliseconds(1)
            for id in many + [one] {
                let pauses = queue.yield(id, now: now)
                #expect(!pauses)
            }
        }
        for id in many { queue.end(id, now: now) }
        let long = [one, queue.add(tenant: "one"), queue.add(tenant: "one")]
        for _ in 0..<2 { _ = queue.next(now: now) }
        let small = queue.add(tenant: "many")
        let begin = now
        var pauses = false
        while !pauses, now - begin < .seconds(10) {
            now += .milliseconds(1)
            for id in long where !pauses { pauses = queue.yield(id, now: now) }
        }
        #expect(now - begin <= PreparationQueue.longestLead)
        let next = queue.next(now: now)
        #expect(next?.id == small)
    }

    @Test mutating func `tenants that compete get the same in the long run`() {
        var queue = PreparationQueue(concurrency: 1)
        let jobs = [queue.add(tenant: "a"), queue.add(tenant: "b"), queue.add(tenant: "b")]
        var runs: [PreparationQueue.ID: Int] = [:]
        var running = queue.next(now: now)?.id
        for _ in 0..<1000 {
            guard let id = running else { break }
            runs[id, default: 0] += 1
            now += .milliseconds(1)
            if queue.yield(id, now: now) { running = queue.next(now: now)?.id }
        }
        #expect((490...510).contains(runs[jobs[0]] ?? 0), "\(runs)")
    }
}
