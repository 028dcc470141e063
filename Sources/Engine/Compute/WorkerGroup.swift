import Synchronization

/// The state that neighboring threads share: the signal that begins a region, and the count of finished positions. With one group
/// for all threads, a hundred threads would wait for the same two cache lines.
struct WorkerGroup: ~Copyable {
    /// The number of threads of a group. On many CPUs this many cores share a cache.
    static let size = 8

    /// The current or last region: see ``RegionSignal``.
    let signal = Atomic<UInt64>(0)
    private let paddingOfSignal = InlineArray<15, UInt64>(repeating: 0)
    /// The number of positions that threads of this group have finished, in all regions so far.
    let finished = Atomic<Int>(0)
    private let paddingOfFinished = InlineArray<15, UInt64>(repeating: 0)
}

/// A region in one word: its number, its number of positions, and how threads take them.
struct RegionSignal: RawRepresentable, Equatable {
    let rawValue: UInt64

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// - Parameters:
    ///   - number: The number of the region, of which the low 32 bits are used.
    ///   - positions: The number of positions of all runs together, below 2³¹.
    ///   - takesHalves: Whether a thread takes half of the remaining positions of a run at once. Otherwise it takes one position.
    init(number: UInt64, positions: Int, takesHalves: Bool) {
        rawValue = number << 32 | UInt64(positions) << 1 | (takesHalves ? 1 : 0)
    }

    var number: UInt64 { rawValue >> 32 }
    var positions: Int { Int(rawValue & 0xffff_ffff) >> 1 }
    /// The maximum number of positions that a thread takes at once.
    var most: Int { rawValue & 1 == 0 ? 1 : .max }
}
