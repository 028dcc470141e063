/// The body of one parallel region, which is shared with other threads while the region runs.
///
/// This is the only place where threads share a value that is not Sendable: a closure over raw pointers. It is safe because
/// `WorkerPool` does not return before every position is done, and because the positions of one region write to separate memory.
/// The address is passed as an integer, so that no type has to be declared Sendable.
struct ParallelJob {
    /// The function that is called with a run and some of its positions.
    let body: (Int, Range<Int>) -> Void

    /// Calls `body` with an address that ``run(at:_:_:)`` converts back to the job. The address is valid until `body` returns.
    func withAddress(_ body: (UInt) -> Void) {
        withUnsafePointer(to: self) { body(UInt(bitPattern: $0)) }
    }

    /// Runs positions of the job at an address from ``withAddress(_:)``.
    ///
    /// This function is never inlined, because its references to the closure must end before the caller reports the positions as
    /// done.
    @inline(never)
    static func run(at address: UInt, _ run: Int, _ positions: Range<Int>) {
        guard let pointer = UnsafePointer<ParallelJob>(bitPattern: address) else {
            preconditionFailure("positions that were taken belong to a job")
        }
        pointer.pointee.body(run, positions)
    }
}
