import Foundation
import Synchronization
import Testing

@testable import Engine

/// A pool whose threads are said to be on several nodes, and which of them touches what.
struct NodePoolTests {
    /// Two nodes of two threads.
    private static let plan = NodePlan([.init(nil, threads: 0..<2), .init(nil, threads: 2..<4)])

    private struct Touch: Equatable {
        var worker: Int
        var job: Int
        var blocks: Range<Int>
    }

    private static var worker: Int {
        Thread.current.name.flatMap { $0.hasPrefix("worker ") ? Int($0.dropFirst("worker ".count)) : nil } ?? 0
    }

    private static func wait(until isDone: () -> Bool) {
        let end = ContinuousClock.now + .seconds(60)
        while !isDone(), ContinuousClock.now < end { sched_yield() }
    }

    /// All threads begin before any goes on, so none of them can take what another one begins with.
    @Test(arguments: [[1, 1, 1], [1, 40, 7]])
    func `workers begin with their node's part of every job, and finish what they began`(costs: [Int]) throws {
        let pool = WorkerPool(threads: 4, nodes: Self.plan)
        let jobs = costs.enumerated().map { WorkerPool.Divisible(blocks: 256, cost: $1, firstNode: $0) }
        let touches = Mutex<[Touch]>([])
        pool.forEachSlice(of: jobs) { job, blocks in
            touches.withLock { $0.append(Touch(worker: Self.worker, job: job, blocks: blocks)) }
            Self.wait { touches.withLock { Set($0.map(\.worker)).count } == 4 }
        }
        let all = touches.withLock { $0 }
        #expect(all.reduce(0) { $0 + $1.blocks.count } == 3 * 256)
        for worker in 0..<4 {
            let touch = try #require(all.first { $0.worker == worker })
            let part = Self.plan.blocks(of: worker / 2, count: 256, unit: 2, first: touch.job)
            #expect(part.contains(touch.blocks.lowerBound) && part.contains(touch.blocks.upperBound - 1), "\(touch)")
        }
        // A slice is never of two nodes.
        for touch in all {
            let parts = (0..<2).filter {
                Self.plan.blocks(of: $0, count: 256, unit: 2, first: touch.job).overlaps(touch.blocks)
            }
            #expect(parts.count == 1)
        }
        // Owners take at least the front half of each run.
        let local = all.filter {
            Self.plan.blocks(of: $0.worker / 2, count: 256, unit: 2, first: $0.job).overlaps($0.blocks)
        }
        #expect(local.reduce(0) { $0 + $1.blocks.count * costs[$1.job] } >= 256 * costs.reduce(0, +) * 4 / 10)
    }

    /// Every worker but the last one stays in its first slice until the last one has taken something of another's run.
    @Test func `an idle worker takes from its own node first`() throws {
        let pool = WorkerPool(threads: 4, nodes: Self.plan)
        let touches = Mutex<[Touch]>([])
        let stolen = Atomic<Bool>(false)
        pool.forEachSlice(of: .init(blocks: 1024)) { blocks in
            let worker = Self.worker
            touches.withLock { $0.append(Touch(worker: worker, job: 0, blocks: blocks)) }
            if worker < 3 {
                Self.wait { stolen.load(ordering: .acquiring) }
            } else if blocks.lowerBound < 768 {
                stolen.store(true, ordering: .releasing)
            }
        }
        let own = touches.withLock { $0.filter { $0.worker == 3 } }
        let first = try #require(own.first { $0.blocks.lowerBound < 768 })
        #expect((512..<768).contains(first.blocks.lowerBound), "from the back of worker 2's run, not \(first.blocks)")
    }
}
