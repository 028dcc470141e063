import Basics

/// The token of work that nobody waits for.
public struct StoppedWork: CancellationToken {
    public init() {}

    public func shouldStop() -> Bool { true }
}
