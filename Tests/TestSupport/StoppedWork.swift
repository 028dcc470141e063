import Basics

/// The token of cancelled work.
public struct StoppedWork: CancellationToken {
    public init() {}

    public func shouldStop() -> Bool { true }
}
