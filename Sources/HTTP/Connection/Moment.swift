/// The current time of the injected clock: an instant for deadlines, and the value of the Date field.
struct Moment {
    var instant: ContinuousClock.Instant
    /// In the format of `HTTPDate`.
    var date: String
}
