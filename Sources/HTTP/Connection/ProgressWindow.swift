/// Checks that a transfer keeps a minimum rate: a number of bytes in each of consecutive windows of time. Bytes of earlier
/// windows do not count, so a peer cannot transfer much at once and then stall.
struct ProgressWindow {
    private let leastBytes: Int
    private let length: Duration
    private var bytes = 0
    /// The end of the current window, since `Moment.origin`.
    private(set) var end: Duration

    /// - Parameter rate: The minimum rate in bytes per second.
    init(rate: Int, length: Duration, at time: Duration) {
        leastBytes = Int(Double(rate) * (length / .seconds(1)))
        self.length = length
        end = time + length
    }

    /// Records that `count` bytes were transferred.
    mutating func moved(_ count: Int) {
        bytes += count
    }

    /// Returns whether the rate is kept. At the end of a window, returns false if too few bytes moved in it, otherwise begins the
    /// next one. Before the end, returns true.
    mutating func isKept(at time: Duration) -> Bool {
        guard end <= time else { return true }
        guard bytes >= leastBytes else { return false }
        bytes = 0
        end = time + length
        return true
    }
}
