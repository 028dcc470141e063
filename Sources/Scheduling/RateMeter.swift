/// How often something happens, over about the last half minute of the time that is recorded.
struct RateMeter: Sendable {
    private static let memory = 30.0
    private var events = 0.0
    private var seconds = 0.0

    /// Events a second; `nil` before any time was recorded.
    var rate: Double? { seconds > 0 ? events / seconds : nil }

    mutating func record(_ count: Int, over time: Duration) {
        let elapsed = time / .seconds(1)
        guard elapsed > 0 else { return }
        let kept = Self.memory / (Self.memory + elapsed)
        events = events * kept + Double(count)
        seconds = seconds * kept + elapsed
    }
}
