/// A histogram of the number of tokens of steps.
public struct StepSizes: Sendable, Equatable {
    public static let bounds = [1] + (3...14).map { 1 << $0 }

    /// The counts, one per bound and one for larger steps. They are not cumulative.
    public private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    /// The total number of tokens of all steps.
    public private(set) var sum: UInt64 = 0

    public init() {}

    /// Counts a step with this many tokens.
    public mutating func add(_ tokens: Int) {
        counts[Self.bounds.firstIndex { tokens <= $0 } ?? Self.bounds.count] += 1
        sum += UInt64(tokens)
    }
}

/// The bytes per second that recent steps have read while the model ran, with decaying weights.
struct ReadRate {
    private var bytes = 0.0
    private var seconds = 0.0

    /// The rate, or `nil` before the first step.
    var value: Double? { seconds > 0 ? bytes / seconds : nil }

    mutating func add(_ step: MemoryTraffic, took time: Duration) {
        // The weight halves within about 20 steps.
        let kept = 0.966
        bytes = bytes * kept + Double(step.bytes)
        seconds = seconds * kept + time / .seconds(1)
    }
}
