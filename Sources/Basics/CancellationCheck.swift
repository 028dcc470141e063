/// Counts the steps of a loop over a client's text, and checks for cancellation at intervals.
public struct CancellationCheck {
    @usableFromInline var steps = 0

    @inlinable
    public init() {}

    /// Called about once per character; returns true if the loop must end.
    @inlinable @inline(__always)
    public mutating func mustStop() -> Bool {
        steps &+= 1
        return steps & 4095 == 0 && Cancellation.isRequested
    }
}
