/// The seconds of the parts of a step.
public struct StepSeconds: Sendable, Equatable {
    /// Waiting for the micro-batches.
    public var loader = 0.0
    public var forward = 0.0
    /// With the head's forward pass.
    public var backward = 0.0
    public var optimizer = 0.0

    public var total: Double { loader + forward + backward + optimizer }
}

/// Measures the parts of a step one after another.
struct StepClock {
    private(set) var seconds = StepSeconds()
    private var last = ContinuousClock.now

    /// Adds the time since the last call to a part.
    mutating func add(_ part: WritableKeyPath<StepSeconds, Double>) {
        let now = ContinuousClock.now
        seconds[keyPath: part] += (now - last) / .seconds(1)
        last = now
    }
}
