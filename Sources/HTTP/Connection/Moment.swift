/// The current time of the injected clock: a time for deadlines, and the value of the Date field.
struct Moment {
    /// Since ``origin``. The layout of an instant is not known when this module is compiled, so that a machine of instants would be
    /// slow to copy and to compare.
    var time: Duration
    /// In the format of `HTTPDate`.
    var date: String

    /// Any fixed time.
    static let origin = ContinuousClock.now

    init(instant: ContinuousClock.Instant, date: String) {
        time = Self.origin.duration(to: instant)
        self.date = date
    }
}
