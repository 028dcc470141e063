import Scheduling
import Testing

@Suite struct QueueBoundsTests {
    @Test(
        arguments: [
            (QueueLoad(), 0, 0, 0), (QueueLoad(tokens: 300), 0, 0, 3), (QueueLoad(tokens: 300, sequences: 3), 0, 0, 3),
            // The first admission is after 4 s, the next after 8 s; admitted sequences run for 20 s.
            (QueueLoad(), 4, 0, 4), (QueueLoad(sequences: 1), 4, 1, 8), (QueueLoad(sequences: 4), 4, 0, 24),
            (QueueLoad(sequences: 9), 4, 0, 48), (QueueLoad(sequences: 9), 0, 9, 40),
            (QueueLoad(tokens: 9000, sequences: 4), 4, 0, 90),
        ] as [(QueueLoad, Int, Int, Int)])
    func `the wait is the longer of computing prompts and ending sequences`(
        load: QueueLoad, running: Int, waiting: Int, seconds: Int
    ) {
        var statistics = SchedulerStatistics()
        statistics.running = running
        statistics.waiting = waiting
        #expect(statistics.wait(behind: load, maxRunning: 4) == .zero)
        statistics.prefillRate = 100
        statistics.expectedEnds = Array([4, 8, 12, 16].prefix(running))
        statistics.expectedRun = 20
        #expect(statistics.wait(behind: load, maxRunning: 4) == .seconds(seconds))
    }

    @Test func `no rate gives a wait that is negative or longer than an hour`() {
        let extremes =
            stride(from: -300, through: 300, by: 20).map { 10 ** Double($0) }
            + [0, .infinity, .nan, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
        for rate in extremes {
            for seconds in extremes {
                var statistics = SchedulerStatistics()
                statistics.running = 1
                statistics.prefillRate = rate
                statistics.expectedEnds = [seconds]
                statistics.expectedRun = seconds
                for load in [QueueLoad(), QueueLoad(tokens: 1 << 40, sequences: 1 << 40), QueueLoad(sequences: 3)] {
                    let wait = statistics.wait(behind: load, maxRunning: 1)
                    #expect((.zero ... .seconds(3600)).contains(wait), "\(rate), \(seconds): \(wait)")
                }
            }
        }
    }

    /// One sequence at a time, with replies of 35 to 60 s and sometimes a short probe: requests that the estimate refuses would
    /// have waited too long.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `a probe is refused only if it would have waited about as long as the bound`(seed: UInt64) throws {
        var machine = SerialMachine(seed: seed)
        let bound = 120.0
        var (refused, taken) = (0, 0)
        for _ in 0..<60 {
            let (estimate, wait) = try machine.probe()
            if estimate > bound {
                refused += 1
                #expect(wait > bound * 2 / 3, "seed \(seed): refused at \(estimate) s, and would have waited \(wait) s")
            } else {
                taken += 1
                #expect(wait < bound * 4 / 3, "seed \(seed): taken at \(estimate) s, and waited \(wait) s")
            }
        }
        #expect(refused > 0 && taken > 0, "seed \(seed): \(refused) refused, \(taken) taken")
    }

    @Test func `hours without a step do not change the estimate`() throws {
        var machine = SerialMachine(seed: 1)
        _ = try machine.probe()
        let before = machine.estimate(waiting: 1)
        machine.now += .seconds(7 * 3600)
        #expect(machine.estimate(waiting: 1) == before)
    }

    @Test func `one step of an hour changes the estimate less than twofold`() throws {
        var machine = SerialMachine(seed: 1)
        _ = try machine.probe()
        let before = machine.estimate(waiting: 1)
        var work = StepWork()
        work.decodeTokens = 1
        machine.scheduler.observe(work, took: .seconds(3600))
        #expect(machine.estimate(waiting: 1) < before * 2)
    }
}

infix operator ** : BitwiseShiftPrecedence

private func ** (base: Double, exponent: Double) -> Double {
    var (result, count) = (1.0, Int(exponent.magnitude))
    while count > 0 {
        result *= exponent < 0 ? 1 / base : base
        count -= 1
    }
    return result
}
