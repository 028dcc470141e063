/// Counts the steps of a loop over a client's text, and asks now and then whether to stop.
struct Checkpoint {
    private var steps = 0

    /// Called once for each character or so; true: the loop is to end.
    @inline(__always)
    mutating func mustStop() -> Bool {
        steps &+= 1
        return steps & 4095 == 0 && Cancellation.isRequested
    }
}
