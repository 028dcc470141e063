/// Counts the steps of a loop over a client's text, and asks now and then whether to stop.
public struct CancellationCheck {
    @usableFromInline var steps = 0

    @inlinable
    public init() {}

    /// Called once for each character or so; true: the loop is to end.
    @inlinable @inline(__always)
    public mutating func mustStop() -> Bool {
        steps &+= 1
        return steps & 4095 == 0 && Cancellation.isRequested
    }
}
