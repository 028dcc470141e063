/// A counter for the steps of a loop over a client's text, which checks for cancellation at intervals.
public struct CancellationCheck {
    @usableFromInline var steps = 0

    @inlinable
    public init() {}

    /// Counts a step and returns true if the loop must end. Call it about once per character.
    @inlinable @inline(__always)
    public mutating func mustStop() -> Bool {
        steps &+= 1
        return steps & 4095 == 0 && Cancellation.isRequested
    }
}
