/// The body of one parallel region, shared with other threads while the region runs.
///
/// This is the only place where a value that is not Sendable is shared between threads: a closure over raw pointers. This is
/// safe because `WorkerPool` does not return before every position is done, and because the positions of one region write to
/// separate places. The address is passed as an integer, so no type has to be declared Sendable.
struct ParallelJob {
    /// Called with a run and some of its positions.
    let body: (Int, Range<Int>) -> Void

    /// Calls `body` with an address that ``run(at:_:_:)`` converts back to the job until `body` returns.
    func withAddress(_ body: (UInt) -> Void) {
        withUnsafePointer(to: self) { body(UInt(bitPattern: $0)) }
    }

    /// Runs positions of the job at an address from ``withAddress(_:)``.
    ///
    /// Never inlined: its references to the closure must end before the caller reports the positions as done.
    @inline(never)
    static func run(at address: UInt, _ run: Int, _ positions: Range<Int>) {
        guard let pointer = UnsafePointer<ParallelJob>(bitPattern: address) else {
            preconditionFailure("positions that were taken belong to a job")
        }
        pointer.pointee.body(run, positions)
    }
}
