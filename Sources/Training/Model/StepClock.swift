/// The duration of each part of a step in seconds.
public struct StepSeconds: Sendable, Equatable {
    /// The time spent waiting for micro-batches.
    public var loader = 0.0
    public var forward = 0.0
    /// Includes the forward pass of the head.
    public var backward = 0.0
    public var optimizer = 0.0

    public var total: Double { loader + forward + backward + optimizer }
}

/// Measures the consecutive parts of a step.
struct StepClock {
    private(set) var seconds = StepSeconds()
    private var last = ContinuousClock.now

    /// Adds the time since the previous call to a part.
    mutating func add(_ part: WritableKeyPath<StepSeconds, Double>) {
        let now = ContinuousClock.now
        seconds[keyPath: part] += (now - last) / .seconds(1)
        last = now
    }
}
