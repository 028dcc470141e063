extension WorkerPool {
    /// Cuts jobs of `blockCounts` equal blocks into slices, a few for each thread, and calls `body` with (job, blocks).
    func forEachSlice(of blockCounts: [Int], _ body: (Int, Range<Int>) -> Void) {
        let total = blockCounts.reduce(0, +)
        let size = max(total / (threads * 8), 1)
        var slices: [(job: Int, blocks: Range<Int>)] = []
        for (job, count) in blockCounts.enumerated() {
            for start in stride(from: 0, to: count, by: size) {
                slices.append((job, start..<min(start + size, count)))
            }
        }
        parallelFor(chunks: slices.count) { chunk in
            body(slices[chunk].job, slices[chunk].blocks)
        }
    }

    /// Calls `body` with ranges that cover 0 ..< rows, `grain` rows or more each.
    func forEachRange(of rows: Int, grain: Int, _ body: (Range<Int>) -> Void) {
        let size = max(grain, (rows + threads * 4 - 1) / (threads * 4))
        parallelFor(chunks: (rows + size - 1) / size) { chunk in
            body(chunk * size..<min((chunk + 1) * size, rows))
        }
    }
}
