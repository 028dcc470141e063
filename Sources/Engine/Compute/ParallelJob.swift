/// The body of one parallel region, shared with other threads while the region runs.
///
/// This is the only place where a value that is not Sendable is shared between threads: a closure over raw pointers. This is
/// safe because `WorkerPool.parallelFor` does not return before every chunk is done, and because the chunks of one region write
/// to separate places. The address is passed as an integer, so no type has to be declared Sendable.
struct ParallelJob {
    let chunks: Int
    let body: (Int) -> Void

    /// Calls `body` with an address that ``at(_:)`` converts back to the job until `body` returns.
    func withAddress(_ body: (UInt) -> Void) {
        withUnsafePointer(to: self) { body(UInt(bitPattern: $0)) }
    }

    /// Runs one chunk of the job at an address from ``withAddress(_:)``: the one that was claimed when `unclaimed` chunks were
    /// left.
    ///
    /// Never inlined: its references to the closure must end before the caller reports the chunk as done.
    @inline(never)
    static func run(at address: UInt, unclaimed: Int) {
        guard let pointer = UnsafePointer<ParallelJob>(bitPattern: address) else {
            preconditionFailure("a claimed chunk belongs to a job")
        }
        pointer.pointee.body(pointer.pointee.chunks - unclaimed)
    }
}
