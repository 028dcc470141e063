import Synchronization
import Testing

@testable import Engine

extension WorkerPool {
    static let single = WorkerPool(threads: 1)
    /// The pool of all tests: not pinned, and asleep between regions.
    static let shared = WorkerPool(threads: 2, spinning: .zero)
}

struct WorkerPoolTests {
    @Test(arguments: [1, 2, 5])
    func `every chunk runs exactly once, region after region`(threads: Int) {
        let pool = WorkerPool(threads: threads, spinning: .microseconds(20))
        for chunks in [0, 1, 2, 3, 17, 100] + Array(repeating: 7, count: 500) {
            let counts = Buffer<Int>(count: chunks)
            pool.parallelFor(chunks: chunks) { chunk in counts.base[chunk] += 1 }
            #expect(Array(counts.contents) == Array(repeating: 1, count: chunks))
        }
    }

    @Test
    func `two threads share the chunks of one region`() {
        let pool = WorkerPool(threads: 2, spinning: .zero)
        let arrived = Atomic<Int>(0)
        // Either chunk waits for the other, which only another thread can run.
        pool.parallelFor(chunks: 2) { _ in
            arrived.add(1, ordering: .sequentiallyConsistent)
            while arrived.load(ordering: .sequentiallyConsistent) < 2 {}
        }
        #expect(arrived.load(ordering: .relaxed) == 2)
    }

    @Test
    func `callers on several threads take turns`() async {
        let total = await withTaskGroup(of: Int.self, returning: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let counts = Buffer<Int>(count: 50)
                    for _ in 0..<20 { WorkerPool.shared.parallelFor(chunks: 50) { counts.base[$0] += 1 } }
                    return counts.contents.reduce(0, +)
                }
            }
            return await group.reduce(0, +)
        }
        #expect(total == 8 * 20 * 50)
    }

    @Test(arguments: [1, 2, 3, 20])
    func `slices cover every block of every job exactly once, in pairs`(threads: Int) {
        let pool = WorkerPool(threads: threads)
        for costs in [[1, 1, 1, 1], [500, 7, 1, 90], [1, 1, 1000, 1]] {
            let jobs = zip([3, 0, 400, 1], costs).map { WorkerPool.Divisible(blocks: $0, cost: $1) }
            let covered = Buffer<Int>(count: 404)
            let splitPairs = Buffer<Int>(count: 404)
            let starts = [0, 3, 3, 403]
            pool.forEachSlice(of: jobs) { job, blocks in
                for block in blocks { covered.base[starts[job] + block] += 1 }
                splitPairs.base[starts[job] + blocks.lowerBound] = blocks.lowerBound % 2
            }
            #expect(Array(covered.contents) == Array(repeating: 1, count: 404), "\(costs)")
            #expect(splitPairs.contents.allSatisfy { $0 == 0 }, "\(costs)")
        }
    }

    @Test
    func `the work of threads that the system refuses is done by the others`() {
        let pool = WorkerPool(threads: 4, spinning: .zero) { name, stackBytes, body throws(SystemThread.Failure) in
            guard name == "worker 1" else { throw SystemThread.Failure(name: name, code: 11) }
            try SystemThread.start(name, stackBytes: stackBytes, body)
        }
        #expect(pool.threads == 2)
        for chunks in [2, 8, 1000] {
            let counts = Buffer<Int>(count: chunks)
            pool.parallelFor(chunks: chunks) { counts.base[$0] += 1 }
            #expect(counts.contents.allSatisfy { $0 == 1 }, "\(chunks)")
        }
        let blocks = Buffer<Int>(count: 100)
        pool.forEachSlice(of: .init(blocks: 100)) { for block in $0 { blocks.base[block] += 1 } }
        #expect(blocks.contents.allSatisfy { $0 == 1 })
    }

    @Test
    func `there may be more chunks than runs have positions`() {
        let pool = WorkerPool(threads: 2, spinning: .zero)
        let chunks = 2 * WorkRun.limit + 5
        let counts = Buffer<UInt8>(count: chunks)
        pool.parallelFor(chunks: chunks) { counts.base[$0] += 1 }
        #expect(counts.contents.allSatisfy { $0 == 1 })
    }

    @Test
    func `a thread that is held up leaves the rest of its run to the others`() {
        let pool = WorkerPool(threads: 2)
        let done = Atomic<Int>(0)
        let doneByOthers = Atomic<Int>(0)
        let end = ContinuousClock.now + .seconds(20)
        // The first slice has a quarter of the blocks. Another quarter is the rest of its thread's run.
        pool.forEachSlice(of: .init(blocks: 1024)) { blocks in
            if blocks.lowerBound == 0 {
                while done.load(ordering: .sequentiallyConsistent) < 768, ContinuousClock.now < end {}
                doneByOthers.store(done.load(ordering: .sequentiallyConsistent), ordering: .relaxed)
            }
            done.add(blocks.count, ordering: .sequentiallyConsistent)
        }
        #expect(doneByOthers.load(ordering: .relaxed) == 768)
    }
}
