/// A forecast of when the next message arrives, from the time of the last wait: steps of the same kind take about the same time.
///
/// A rank that spins notices a message at once but uses a CPU, and a nap ends some time after the message has arrived. So a rank
/// naps while it expects no message, and spins from ``margin`` before the expected arrival to ``patience`` after it.
struct ArrivalForecast {
    /// How much earlier than expected a message may arrive, and how much too late a nap may end.
    private static let margin = Duration.microseconds(200)
    private static let patience = Duration.microseconds(300)
    private static let naps = Duration.microseconds(50)...Duration.microseconds(500)

    private var wait = Duration.zero

    /// Adds the time of a wait.
    mutating func observe(_ time: Duration) { wait = time }

    /// Returns the time to sleep after a wait of `elapsed`, or `nil` to spin.
    func nap(after elapsed: Duration) -> Duration? {
        let nap = min(max(elapsed / 32, Self.naps.lowerBound), Self.naps.upperBound)
        if elapsed < wait - Self.margin { return min(nap, wait - Self.margin - elapsed) }
        return elapsed < wait + Self.patience ? nil : nap
    }
}
