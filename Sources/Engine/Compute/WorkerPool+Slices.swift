extension WorkerPool {
    /// A job that can be split between equal blocks, and between the nodes of the pool by
    /// ``NodePlan/blocks(of:count:unit:first:)``.
    struct Divisible {
        var blocks: Int
        /// The cost of each block, in any unit.
        var cost = 1
        /// The number of blocks that stay in one slice. Kernels compute pairs of blocks together.
        var unit = 2
        /// The node with the first blocks, modulo the number of nodes.
        var firstNode = 0
    }

    /// The blocks of a job that belong to a node.
    private struct Part {
        let job: Int
        let blocks: Range<Int>
        let cost: Int
        let unit: Int
        /// The total cost of all earlier parts.
        let start: Int

        /// Returns the blocks that begin in a range of costs. The bounds are rounded up to whole units.
        func blocks(from start: Int, to end: Int) -> Range<Int> {
            func block(at cost: Int) -> Int {
                let units = (max(cost - self.start, 0) + unit * self.cost - 1) / (unit * self.cost)
                return min(blocks.lowerBound + units * unit, blocks.upperBound)
            }
            return block(at: start)..<block(at: end)
        }
    }

    /// The number of parts of each thread's run. At the end, a thread waits at most for one part of another thread's run.
    private static let runParts = 128

    /// Calls `body` with (job, blocks) until every block of all jobs is done.
    ///
    /// Each node has a part of every job. The parts of a node are concatenated and divided into one run for each of its threads. A
    /// thread repeatedly takes the front half of the remainder of its run, so that it reads memory in one ascending stream. When
    /// its run is empty, it takes the back half of the remainder of another thread's run. No thread therefore waits long for
    /// another at the end.
    func forEachSlice(of jobs: [Divisible], _ body: (Int, Range<Int>) -> Void) {
        let count = nodes.nodes.count * jobs.count
        withUnsafeTemporaryAllocation(of: Part.self, capacity: count) { parts in
            // The cost at which each run begins, followed by the total cost.
            withUnsafeTemporaryAllocation(of: Int.self, capacity: runs + 1) { starts in
                divide(jobs, parts, starts)
                forEachRun(of: Self.runParts) { positions in
                    func cost(at position: Int) -> Int {
                        let (run, part) = position.quotientAndRemainder(dividingBy: Self.runParts)
                        return part == 0
                            ? starts[run] : starts[run] + (starts[run + 1] - starts[run]) * part / Self.runParts
                    }
                    let (start, end) = (cost(at: positions.lowerBound), cost(at: positions.upperBound))
                    guard start < end else { return }
                    // Finds the last part that begins at or before the slice.
                    var (low, high) = (0, count)
                    while high - low > 1 {
                        let middle = (low + high) / 2
                        if parts[middle].start <= start { low = middle } else { high = middle }
                    }
                    var index = low
                    while index < count, parts[index].start < end {
                        let blocks = parts[index].blocks(from: start, to: end)
                        if !blocks.isEmpty { body(parts[index].job, blocks) }
                        index += 1
                    }
                }
            }
        }
    }

    /// Fills the tables of parts and of run starts. The tables are not arrays, because threads would contend for the reference
    /// counts of arrays.
    private func divide(
        _ jobs: [Divisible], _ parts: UnsafeMutableBufferPointer<Part>, _ starts: UnsafeMutableBufferPointer<Int>
    ) {
        var (index, cost) = (0, 0)
        for (number, node) in nodes.nodes.enumerated() {
            let first = cost
            for (job, work) in jobs.enumerated() {
                let blocks = nodes.blocks(of: number, count: work.blocks, unit: work.unit, first: work.firstNode)
                parts[index] = Part(job: job, blocks: blocks, cost: work.cost, unit: work.unit, start: cost)
                cost += blocks.count * work.cost
                index += 1
            }
            for (place, thread) in node.threads.enumerated() {
                starts[thread] = first + (cost - first) * place / node.threads.count
            }
        }
        starts[runs] = cost
    }

    /// Calls `body` with ranges of blocks until every block of the job is done.
    func forEachSlice(of job: Divisible, _ body: (Range<Int>) -> Void) {
        forEachSlice(of: [job]) { body($1) }
    }

    /// Calls `body` with ranges that cover 0 ..< rows. Each has at least `grain` rows, except the last one.
    package func forEachRange(of rows: Int, grain: Int, _ body: (Range<Int>) -> Void) {
        let size = max(grain, (rows + threads * 4 - 1) / (threads * 4))
        parallelFor(chunks: (rows + size - 1) / size) { chunk in
            body(chunk * size..<min((chunk + 1) * size, rows))
        }
    }
}
