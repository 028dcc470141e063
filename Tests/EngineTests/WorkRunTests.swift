import Testing

@testable import Engine

struct WorkRunTests {
    /// The 24 bits of a region's number wrap around.
    private static let regions: [UInt64] = [1, 2, 1 << 24 - 1, 1 << 24, 1 << 32 - 1]

    @Test(arguments: regions)
    func `halves are taken from the front and from the back`(region: UInt64) {
        let run = WorkRun()
        run.end(region: region - 1)
        #expect(run.take(.front, atMost: .max, region: region, count: 32) == 0..<16)
        #expect(run.take(.back, atMost: .max, region: region, count: 32) == 24..<32)
        #expect(run.take(.front, atMost: .max, region: region, count: 32) == 16..<20)
        #expect(run.take(.back, atMost: .max, region: region, count: 32) == 22..<24)
        #expect(run.take(.front, atMost: .max, region: region, count: 32) == 20..<21)
        #expect(run.take(.back, atMost: .max, region: region, count: 32) == 21..<22)
        #expect(run.take(.front, atMost: .max, region: region, count: 32) == nil)
        #expect(run.take(.back, atMost: .max, region: region, count: 32) == nil)
    }

    @Test
    func `at most so many positions are taken`() {
        let run = WorkRun()
        #expect(run.take(.front, atMost: 1, region: 1, count: 32) == 0..<1)
        #expect(run.take(.back, atMost: 3, region: 1, count: 32) == 29..<32)
    }

    @Test(arguments: regions)
    func `a thread that comes late takes nothing of a later region`(region: UInt64) {
        let run = WorkRun()
        run.end(region: region - 1)
        #expect(run.take(.front, atMost: .max, region: region + 1, count: 8) == 0..<4)
        #expect(run.take(.front, atMost: .max, region: region, count: 8) == nil)
        #expect(run.take(.front, atMost: .max, region: region + 1, count: 8) == 4..<6)
    }

    @Test
    func `a run that nobody took from can still be begun until it must be ended`() {
        let run = WorkRun()
        #expect(run.take(.front, atMost: .max, region: 2 * WorkRun.regionsBetweenEnds, count: 8) == 0..<4)
        // More than half of all numbers later it would look like a run of a later region.
        #expect(run.take(.front, atMost: .max, region: 1 << 23 + 2 * WorkRun.regionsBetweenEnds, count: 8) == nil)
    }

    @Test
    func `runs of more threads than a group has are all done, region after region`() {
        let pool = WorkerPool(threads: 2 * WorkerGroup.size + 3, spinning: .microseconds(20))
        for chunks in [2, 5, 19, 20, 1000] {
            let counts = Buffer<Int>(count: chunks)
            for _ in 0..<50 { pool.parallelFor(chunks: chunks) { counts.base[$0] += 1 } }
            #expect(counts.contents.allSatisfy { $0 == 50 }, "\(chunks)")
        }
    }
}
