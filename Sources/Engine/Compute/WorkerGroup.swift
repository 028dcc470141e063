import Synchronization

/// What neighbouring threads share: the signal that begins a region, and the count of what they have finished. With one group for
/// all, a hundred threads would wait for the same two cache lines.
struct WorkerGroup: ~Copyable {
    /// The threads of a group: as many cores share a cache on many CPUs.
    static let size = 8

    /// The region that runs, or ran last: see ``RegionSignal``.
    let signal = Atomic<UInt64>(0)
    private let paddingOfSignal = InlineArray<15, UInt64>(repeating: 0)
    /// Positions that threads of this group have finished, of all regions so far.
    let finished = Atomic<Int>(0)
    private let paddingOfFinished = InlineArray<15, UInt64>(repeating: 0)
}

/// A region in one word: its number, its work, and how it is divided.
struct RegionSignal: RawRepresentable, Equatable {
    let rawValue: UInt64

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// - Parameters:
    ///   - number: 32 bits count.
    ///   - positions: of all runs together, below 2³¹.
    ///   - takesHalves: whether a thread takes half of what is left of a run at once, otherwise one position.
    init(number: UInt64, positions: Int, takesHalves: Bool) {
        rawValue = number << 32 | UInt64(positions) << 1 | (takesHalves ? 1 : 0)
    }

    var number: UInt64 { rawValue >> 32 }
    var positions: Int { Int(rawValue & 0xffff_ffff) >> 1 }
    /// The most positions that a thread takes at once.
    var most: Int { rawValue & 1 == 0 ? 1 : .max }
}
