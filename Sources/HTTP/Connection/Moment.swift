/// The injected clock's reading: one for deadlines, one for the Date field.
struct Moment {
    var instant: ContinuousClock.Instant
    /// As `HTTPDate` writes it.
    var date: String
}
