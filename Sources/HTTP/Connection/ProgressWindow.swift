/// Watches that a transfer keeps a least rate: so many bytes in each of the windows of time that follow one another. What a
/// peer did in earlier windows does not count, so that it cannot send or read much at once and then stall.
struct ProgressWindow {
    private let leastBytes: Int
    private let length: Duration
    private var bytes = 0
    /// When the window ends.
    private(set) var end: ContinuousClock.Instant

    /// - Parameter rate: In bytes a second.
    init(rate: Int, length: Duration, at instant: ContinuousClock.Instant) {
        leastBytes = Int(Double(rate) * (length / .seconds(1)))
        self.length = length
        end = instant + length
    }

    /// `count` bytes were transferred.
    mutating func moved(_ count: Int) {
        bytes += count
    }

    /// At a window's end: true begins the next one; false: too few bytes moved in this one. True before the end.
    mutating func isKept(at instant: ContinuousClock.Instant) -> Bool {
        guard end <= instant else { return true }
        guard bytes >= leastBytes else { return false }
        bytes = 0
        end = instant + length
        return true
    }
}
