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

    /// Splits the blocks of all jobs, in order, into slices and calls `body` with (job, blocks) for each part of a slice.
    ///
    /// Of each thread's share, the first slice is a half and the last two an eighth each: a thread reads long runs of weights,
    /// since each run begins with cache misses, and yet no thread waits long for another at the end.
    func forEachSlice(of jobs: [Divisible], _ body: (Int, Range<Int>) -> Void) {
        withUnsafeTemporaryAllocation(of: Int.self, capacity: jobs.count + 1) { starts in
            // The cost of all jobs before each.
            starts[0] = 0
            for (index, job) in jobs.enumerated() { starts[index + 1] = starts[index] + job.blocks * job.cost }
            let total = starts[jobs.count]
            parallelFor(chunks: 4 * threads) { slice in
                let (start, end) = (sliceStart(slice, of: total), sliceStart(slice + 1, of: total))
                guard start < end else { return }
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
        parallelFor(chunks: 4 * threads) { slice in
            let blocks = job.blocks(from: sliceStart(slice, of: blocks), to: sliceStart(slice + 1, of: blocks))
            if !blocks.isEmpty { body(blocks) }
        }
    }

    /// Where a slice 0 ... 4 * threads of `total` begins: `threads` slices each of 4, 2, 1 and 1 units.
    private func sliceStart(_ slice: Int, of total: Int) -> Int {
        let (round, index) = slice.quotientAndRemainder(dividingBy: threads)
        let units =
            switch round {
            case 0: 4 * index
            case 1: 4 * threads + 2 * index
            default: (4 + round) * threads + index
            }
        return total * units / (8 * threads)
    }

    /// Calls `body` with ranges that cover 0 ..< rows, `grain` rows or more each.
    package func forEachRange(of rows: Int, grain: Int, _ body: (Range<Int>) -> Void) {
        let size = max(grain, (rows + threads * 4 - 1) / (threads * 4))
        parallelFor(chunks: (rows + size - 1) / size) { chunk in
            body(chunk * size..<min((chunk + 1) * size, rows))
        }
    }
}
