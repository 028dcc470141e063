extension WorkerPool {
    /// Work that can be split between equal blocks.
    struct Divisible {
        var blocks: Int
        /// The cost of each block, in any unit.
        var cost = 1
    }

    /// Splits jobs into slices of about equal cost, a few for each thread, and calls `body` with (job, blocks).
    func forEachSlice(of jobs: [Divisible], _ body: (Int, Range<Int>) -> Void) {
        let total = jobs.reduce(0) { $0 + $1.blocks * $1.cost }
        let target = max(total / (threads * 8), 1)
        // The number of slices before each job.
        withUnsafeTemporaryAllocation(of: Int.self, capacity: jobs.count + 1) { starts in
            var count = 0
            for (index, job) in jobs.enumerated() {
                starts[index] = count
                count += min((job.blocks * job.cost + target - 1) / target, job.blocks)
            }
            starts[jobs.count] = count
            parallelFor(chunks: count) { slice in
                // The last job that begins at or before the slice.
                var (low, high) = (0, jobs.count)
                while high - low > 1 {
                    let middle = (low + high) / 2
                    if starts[middle] <= slice { low = middle } else { high = middle }
                }
                let (blocks, number, slices) = (jobs[low].blocks, slice - starts[low], starts[low + 1] - starts[low])
                body(low, blocks * number / slices..<blocks * (number + 1) / slices)
            }
        }
    }

    /// The same for one job.
    func forEachSlice(of blocks: Int, _ body: (Range<Int>) -> Void) {
        let slices = min(blocks, threads * 8)
        parallelFor(chunks: slices) { slice in body(blocks * slice / slices..<blocks * (slice + 1) / slices) }
    }

    /// Calls `body` with ranges that cover 0 ..< rows, `grain` rows or more each.
    package func forEachRange(of rows: Int, grain: Int, _ body: (Range<Int>) -> Void) {
        let size = max(grain, (rows + threads * 4 - 1) / (threads * 4))
        parallelFor(chunks: (rows + size - 1) / size) { chunk in
            body(chunk * size..<min((chunk + 1) * size, rows))
        }
    }
}
