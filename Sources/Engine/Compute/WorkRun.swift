import Synchronization

/// The remaining positions of one thread's run of work in the current region. The owner takes from the front, other threads from
/// the back.
///
/// The run of a new region begins when any thread first takes from it, so nobody has to prepare the runs of all threads.
struct WorkRun: ~Copyable {
    /// The region (24 bits), the first remaining position (20 bits) and the end (20 bits). They share one word, so that no position
    /// is taken twice, and so that a late thread cannot take positions of a later region.
    private let word = Atomic<UInt64>(0)
    /// Pads each run to two cache lines, because the hardware fetches lines in pairs. Without it, owners would slow each other
    /// down.
    private let padding = InlineArray<15, UInt64>(repeating: 0)

    /// The maximum end of a run.
    static let limit = 1 << 20 - 1
    private static let regionMask: UInt64 = 1 << 24 - 1
    private static let positionMask = UInt64(limit)

    /// The maximum number of regions between two calls of ``end(region:)``. Region numbers wrap around, so after 2²³ regions the
    /// number of an untouched run would look like that of a later region.
    ///
    /// For the same reason, a thread must not be suspended for 2²³ regions (more than a minute) while it takes from a run.
    static let regionsBetweenEnds: UInt64 = 1 << 20

    enum Side {
        case front, back
    }

    /// Removes all positions of this region and of earlier ones. Call it only between two regions.
    func end(region: UInt64) {
        word.store((region & Self.regionMask) << 40, ordering: .relaxed)
    }

    /// Takes half of the remaining positions, at least one. Returns `nil` if none remain or if a later region has begun.
    ///
    /// - Parameters:
    ///   - side: The half to take.
    ///   - most: The maximum number of positions to take.
    ///   - region: The number of the region, of which the low 24 bits are used.
    ///   - count: The number of positions of the run: 0 ..< count.
    func take(_ side: Side, atMost most: Int, region: UInt64, count: Int) -> Range<Int>? {
        let region = region & Self.regionMask
        // Relaxed memory ordering suffices, because the region's signal publishes its job.
        var current = word.load(ordering: .relaxed)
        while true {
            let age = (region &- current >> 40) & Self.regionMask
            // An age of more than half of all numbers means that the run is of a later region.
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
