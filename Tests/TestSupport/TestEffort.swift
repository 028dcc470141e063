import Foundation

/// How much the tests of many seeds do: a sample in `make test`, all in `make test-all`, which sets `TRINITY_TEST_ALL=1`.
public enum TestEffort {
    /// Whether all is done.
    public static let isFull = ProcessInfo.processInfo.environment["TRINITY_TEST_ALL"] == "1"

    /// How many cases to try. The sample is the first of them, the same at every run.
    public static func count<Count: FixedWidthInteger>(_ sample: Count, all: Count) -> Count {
        precondition(0 < sample && sample < all, "a sample has some of all cases")
        return isFull ? all : sample
    }
}
