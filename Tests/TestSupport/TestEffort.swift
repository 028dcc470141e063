import Foundation

/// The amount of work of tests over many seeds: a sample in `make test`, everything in `make test-all`, which sets
/// `TRINITY_TEST_ALL=1`.
public enum TestEffort {
    /// Whether to test everything.
    public static let isFull = ProcessInfo.processInfo.environment["TRINITY_TEST_ALL"] == "1"

    /// The number of cases to test. The sample consists of the first cases, which are the same in every run.
    public static func count<Count: FixedWidthInteger>(_ sample: Count, all: Count) -> Count {
        precondition(0 < sample && sample < all, "a sample has some of all cases")
        return isFull ? all : sample
    }
}
