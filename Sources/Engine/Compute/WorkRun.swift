import Synchronization

/// What is left of one thread's run of work in the current region. Its owner takes from the front, other threads from the back.
///
/// The run of a new region begins with the first take by anybody, so nobody has to prepare the runs of all threads.
struct WorkRun: ~Copyable {
    /// The region (24 bits), the first position that is left (20) and the end (20). All are in one word, so that no position is
    /// taken twice, and so that a thread that comes late cannot take anything of a later region.
    private let word = Atomic<UInt64>(0)
    /// Two cache lines for each run, since the hardware fetches lines in pairs: owners do not slow each other down.
    private let padding = InlineArray<15, UInt64>(repeating: 0)

    /// The end of a run is at most this.
    static let limit = 1 << 20 - 1
    private static let regionMask: UInt64 = 1 << 24 - 1
    private static let positionMask = UInt64(limit)

    /// ``end(region:)`` must be called at least this often. Numbers of regions wrap around, so the number of an untouched run would
    /// look like that of a later region after 2²³ regions.
    ///
    /// A thread must not stop for 2²³ regions (more than a minute) while it takes from a run, for the same reason.
    static let regionsBetweenEnds: UInt64 = 1 << 20

    enum Side {
        case front, back
    }

    /// Leaves nothing of this region and of earlier ones. Only between two regions.
    func end(region: UInt64) {
        word.store((region & Self.regionMask) << 40, ordering: .relaxed)
    }

    /// Half of what is left, at least one position; nil if nothing is left, or if a later region has begun.
    ///
    /// - Parameters:
    ///   - side: which half.
    ///   - most: the most positions to take.
    ///   - region: the number of the region, of which 24 bits count.
    ///   - count: the positions of the run: 0 ..< count.
    func take(_ side: Side, atMost most: Int, region: UInt64, count: Int) -> Range<Int>? {
        let region = region & Self.regionMask
        // The order of memory does not matter here: the signal of the region publishes its job.
        var current = word.load(ordering: .relaxed)
        while true {
            let age = (region &- current >> 40) & Self.regionMask
            // More than half of all numbers back: the run is of a later region.
            if age > Self.regionMask >> 1 { return nil }
            var (start, end) =
                age == 0 ? (Int(current >> 20 & Self.positionMask), Int(current & Self.positionMask)) : (0, count)
            if start >= end { return nil }
            let size = min((end - start + 1) / 2, most)
            let taken = side == .front ? start..<start + size : end - size..<end
            if side == .front { start += size } else { end -= size }
            let (exchanged, original) = word.weakCompareExchange(
                expected: current, desired: region << 40 | UInt64(start) << 20 | UInt64(end),
                ordering: .relaxed)
            if exchanged { return taken }
            current = original
        }
    }
}
