/// The body of one parallel region, handed to other threads for as long as the region runs.
///
/// This is the one place where something that is not Sendable changes threads: a closure over raw pointers. It is sound
/// because `WorkerPool.parallelFor` does not return before every chunk is done, and because the chunks of one region write
/// to places of their own; the address travels as an integer, which is why no type has to claim to be Sendable.
struct ParallelJob {
    let chunks: Int
    let body: (Int) -> Void

    /// Calls `body` with an address that ``at(_:)`` turns back into the job until `body` returns.
    func withAddress(_ body: (UInt) -> Void) {
        withUnsafePointer(to: self) { body(UInt(bitPattern: $0)) }
    }

    /// Runs the chunk claimed when `unclaimed` chunks were left, of the job at an address from ``withAddress(_:)``.
    ///
    /// Never inlined: its references to the closure have to end before the caller reports the chunk as done.
    @inline(never)
    static func run(at address: UInt, unclaimed: Int) {
        guard let pointer = UnsafePointer<ParallelJob>(bitPattern: address) else {
            preconditionFailure("a claimed chunk belongs to a job")
        }
        pointer.pointee.body(pointer.pointee.chunks - unclaimed)
    }
}
