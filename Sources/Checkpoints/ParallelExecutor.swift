/// Runs the chunks of a loop, one after another or on several threads.
public protocol ParallelExecutor {
    /// The maximum number of chunks that run at the same time.
    var threads: Int { get }

    /// Calls `body` once for each chunk in 0 ..< chunks, on any thread and in any order, and returns when all calls are done.
    ///
    /// Loops cannot be nested: `body` must not call this method.
    func parallelFor(chunks: Int, _ body: (Int) -> Void)
}
