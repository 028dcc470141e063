/// The current time of the injected clock, for deadlines and for the Date field.
struct Moment {
    /// The time since ``origin``. The layout of an instant is not known when this module is compiled, so a machine with instants
    /// would be slow to copy and to compare.
    var time: Duration
    /// The date in the format of `HTTPDate`.
    var date: String

    /// An arbitrary fixed time.
    static let origin = ContinuousClock.now

    init(instant: ContinuousClock.Instant, date: String) {
        time = Self.origin.duration(to: instant)
        self.date = date
    }
}
