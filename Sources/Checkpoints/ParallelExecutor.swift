/// Runs the chunks of one loop after another, or at the same time by several threads.
public protocol ParallelExecutor {
    /// The maximum number of chunks that run at the same time.
    var threads: Int { get }

    /// Calls `body` once for each chunk 0 ..< chunks, on any thread and in any order; returns when all are done.
    ///
    /// Loops do not nest: `body` must not call this again.
    func parallelFor(chunks: Int, _ body: (Int) -> Void)
}
