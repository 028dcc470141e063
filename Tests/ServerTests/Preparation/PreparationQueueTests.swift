import Testing

@testable import Server

/// The order of jobs, on a clock that advances only when jobs run.
@Suite struct PreparationQueueTests {
    private var now = ContinuousClock.now

    /// One CPU that runs the queue's jobs slice by slice.
    private struct CPU {
        var queue = PreparationQueue(concurrency: 1)
        var now = ContinuousClock.now
        /// The remaining time of each job.
        var left: [PreparationQueue.ID: Duration] = [:]
        /// The time that each job has run.
        var ran: [PreparationQueue.ID: Duration] = [:]
        private var current: PreparationQueue.ID?

        mutating func add(_ tenant: String, _ work: Duration) -> PreparationQueue.ID {
            let id = queue.add(tenant: tenant)
            left[id] = work
            return id
        }

        /// Runs the next job for a slice, or until it ends.
        mutating func runSlice() {
            guard let id = current ?? queue.next(now: now)?.id, let rest = left[id] else { return }
            current = id
            let time = min(rest, PreparationJob.slice)
            now += time
            ran[id, default: .zero] += time
            left[id] = rest - time
            if rest == time {
                queue.end(id, now: now)
                left[id] = nil
                current = nil
            } else if queue.yield(id, now: now) {
                current = nil
            }
        }
    }

    @Test(arguments: [200, 1000, 3500])
    func `a large job ends even if small ones of its tenant never stop arriving`(microseconds: Int) {
        var cpu = CPU()
        let large = cpu.add("", .milliseconds(100))
        let start = cpu.now
        while cpu.left[large] != nil, cpu.now - start < .seconds(2) {
            // There is always a waiting small job.
            if cpu.left.count < 3 { _ = cpu.add("", .microseconds(microseconds)) }
            cpu.runSlice()
        }
        #expect((.milliseconds(370)...(.milliseconds(410))).contains(cpu.now - start), "\(cpu.now - start)")
    }

    @Test func `the oldest of several large jobs ends first, and then the next one`() {
        var cpu = CPU()
        let large = (0..<3).map { _ in cpu.add("", .milliseconds(50)) }
        var ends: [PreparationQueue.ID: Duration] = [:]
        let start = cpu.now
        while ends.count < 3, cpu.now - start < .seconds(2) {
            if cpu.left.count < 5 { _ = cpu.add("", .milliseconds(1)) }
            cpu.runSlice()
            for id in large where cpu.left[id] == nil && ends[id] == nil { ends[id] = cpu.now - start }
        }
        for (index, id) in large.enumerated() {
            let expected = Duration.milliseconds(200 * (index + 1))
            #expect(
                ends[id].map { ($0 - expected) < .milliseconds(30) && ($0 - expected) > .milliseconds(-30) } == true)
        }
    }

    @Test func `a small job comes before a large one that has used the CPU alone`() {
        var cpu = CPU()
        let large = cpu.add("", .seconds(10))
        for _ in 0..<1000 { cpu.runSlice() }
        let small = cpu.add("", .milliseconds(1))
        let start = cpu.now
        while cpu.left[small] != nil { cpu.runSlice() }
        #expect(cpu.now - start <= .milliseconds(2))
        #expect(cpu.ran[large].map { $0 >= .seconds(1) } == true)
    }

    @Test func `the time of a tenant's oldest job is taken from that tenant`() {
        var cpu = CPU()
        _ = cpu.add("ann", .seconds(10))
        var anns = Duration.zero
        var bobs = Duration.zero
        let start = cpu.now
        while cpu.now - start < .milliseconds(400) {
            let small = (0..<2).map { _ in cpu.add("ann", .milliseconds(1)) }
            let bob = cpu.add("bob", .milliseconds(2))
            let before = cpu.now
            while cpu.left[bob] != nil { cpu.runSlice() }
            bobs += .milliseconds(2)
            anns += cpu.now - before - .milliseconds(2)
            _ = small
        }
        #expect(anns > bobs * 9 / 10 && anns < bobs * 11 / 10, "\(anns), \(bobs)")
    }

    @Test mutating func `time that a tenant got while CPUs were idle delays its small job by at most the longest lead`()
    {
        var queue = PreparationQueue(concurrency: 3)
        let many = [queue.add(tenant: "many"), queue.add(tenant: "many")]
        let one = queue.add(tenant: "one")
        for _ in 0..<3 { _ = queue.next(now: now) }
        // Ten seconds without waiting jobs: one tenant uses twice as much as the other.
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

    @Test
    mutating func `a very long slice, for instance if the machine slept, gives the oldest job only a short claim`() {
        var queue = PreparationQueue(concurrency: 1)
        let oldest = queue.add(tenant: "a")
        _ = queue.next(now: now)
        let other = queue.add(tenant: "a")
        now += .milliseconds(1)
        var paused = queue.yield(oldest, now: now)
        #expect(paused && queue.next(now: now)?.id == other)
        now += .seconds(3600)
        paused = queue.yield(other, now: now)
        #expect(paused && queue.next(now: now)?.id == oldest)
        let small = queue.add(tenant: "a")
        let begin = now
        var running: PreparationQueue.ID? = oldest
        while running == oldest, now - begin < .seconds(10) {
            now += .milliseconds(1)
            if queue.yield(oldest, now: now) { running = queue.next(now: now)?.id }
        }
        #expect(running == small && now - begin < .milliseconds(50), "\(now - begin)")
    }

    @Test mutating func `competing tenants get the same time in the long run`() {
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
