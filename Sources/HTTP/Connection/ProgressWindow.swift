/// Checks that a transfer keeps a minimum rate: a number of bytes in each of consecutive windows of time. Bytes of earlier
/// windows do not count, so a peer cannot transfer much at once and then stall.
struct ProgressWindow {
    private let leastBytes: Int
    private let length: Duration
    private var bytes = 0
    /// The end of the current window, since `Moment.origin`.
    private(set) var end: Duration

    /// - Parameter rate: In bytes a second.
    init(rate: Int, length: Duration, at time: Duration) {
        leastBytes = Int(Double(rate) * (length / .seconds(1)))
        self.length = length
        end = time + length
    }

    /// `count` bytes were transferred.
    mutating func moved(_ count: Int) {
        bytes += count
    }

    /// At a window's end: returns true and begins the next window, or false if too few bytes moved in this one. Returns true
    /// before the end.
    mutating func isKept(at time: Duration) -> Bool {
        guard end <= time else { return true }
        guard bytes >= leastBytes else { return false }
        bytes = 0
        end = time + length
        return true
    }
}
