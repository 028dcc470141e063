extension WorkerPool {
    /// Work that can be split between equal blocks.
    struct Divisible {
        var blocks: Int
        /// The cost of each block, in any unit.
        var cost = 1
        /// Blocks that stay in one slice; kernels compute pairs of blocks together.
        var unit = 2

        /// The blocks that begin in a range of costs. Its bounds are rounded up to whole units.
        fileprivate func blocks(from start: Int, to end: Int) -> Range<Int> {
            func block(at offset: Int) -> Int {
                min((max(offset, 0) + unit * cost - 1) / (unit * cost) * unit, blocks)
            }
            return block(at: start)..<block(at: end)
        }
    }

    /// Calls `body` with (job, blocks) until it has been called for every block of all jobs.
    ///
    /// The jobs' blocks, one after another, are divided into one run for each thread. A thread takes the front half of what is left
    /// of its run, again and again, so that it reads memory in one ascending stream. When nothing is left, it takes the back half
    /// of what is left of another thread's run. So no thread waits long for another at the end.
    func forEachSlice(of jobs: [Divisible], _ body: (Int, Range<Int>) -> Void) {
        withUnsafeTemporaryAllocation(of: Int.self, capacity: jobs.count + 1) { starts in
            // The cost of all jobs before each.
            starts[0] = 0
            for (index, job) in jobs.enumerated() { starts[index + 1] = starts[index] + job.blocks * job.cost }
            let total = starts[jobs.count]
            forEachShare(of: total) { start, end in
                // The last job that begins at or before the slice.
                var (low, high) = (0, jobs.count)
                while high - low > 1 {
                    let middle = (low + high) / 2
                    if starts[middle] <= start { low = middle } else { high = middle }
                }
                var job = low
                while job < jobs.count, starts[job] < end {
                    let blocks = jobs[job].blocks(from: start - starts[job], to: end - starts[job])
                    if !blocks.isEmpty { body(job, blocks) }
                    job += 1
                }
            }
        }
    }

    /// The same for one job.
    func forEachSlice(of blocks: Int, _ body: (Range<Int>) -> Void) {
        let job = Divisible(blocks: blocks)
        forEachShare(of: blocks) { start, end in
            let blocks = job.blocks(from: start, to: end)
            if !blocks.isEmpty { body(blocks) }
        }
    }

    /// The parts of each thread's run: a thread waits at most as long as another one needs for the last of them.
    private static let parts = 128

    /// Calls `body` with (start, end) until the calls cover 0 ..< total.
    private func forEachShare(of total: Int, _ body: (Int, Int) -> Void) {
        let all = Self.parts * runs
        forEachRun(of: Self.parts) { parts in
            let (start, end) = (total * parts.lowerBound / all, total * parts.upperBound / all)
            if start < end { body(start, end) }
        }
    }

    /// Calls `body` with ranges that cover 0 ..< rows, `grain` rows or more each.
    package func forEachRange(of rows: Int, grain: Int, _ body: (Range<Int>) -> Void) {
        let size = max(grain, (rows + threads * 4 - 1) / (threads * 4))
        parallelFor(chunks: (rows + size - 1) / size) { chunk in
            body(chunk * size..<min((chunk + 1) * size, rows))
        }
    }
}
