import Synchronization

/// What is left of one thread's run of parts. Its owner takes from the front, other threads from the back.
struct WorkRun: ~Copyable {
    /// High half: the first part that is left. Low half: the end. Both are in one word, so that no part is taken twice.
    private let word: Atomic<UInt64>
    /// Two cache lines for each run, since the hardware fetches lines in pairs: owners do not slow each other down.
    private let padding = InlineArray<15, UInt64>(repeating: 0)

    /// - Parameter parts: bounds below 2³²
    init(_ parts: Range<Int>) {
        word = Atomic(Self.word(parts))
    }

    /// The front half of what is left, at least one part; nil if nothing is left.
    func takeFront() -> Range<Int>? {
        take { left, half in (left.lowerBound..<left.lowerBound + half, left.lowerBound + half..<left.upperBound) }
    }

    /// The back half.
    func takeBack() -> Range<Int>? {
        take { left, half in (left.upperBound - half..<left.upperBound, left.lowerBound..<left.upperBound - half) }
    }

    /// The order of memory does not matter here: the parallel region publishes what its chunks write.
    private func take(_ split: (Range<Int>, Int) -> (taken: Range<Int>, left: Range<Int>)) -> Range<Int>? {
        var current = word.load(ordering: .relaxed)
        while true {
            let left = Int(current >> 32)..<Int(current & 0xffff_ffff)
            if left.isEmpty { return nil }
            let (taken, rest) = split(left, (left.count + 1) / 2)
            let (exchanged, original) = word.weakCompareExchange(
                expected: current, desired: Self.word(rest), ordering: .relaxed)
            if exchanged { return taken }
            current = original
        }
    }

    private static func word(_ parts: Range<Int>) -> UInt64 {
        UInt64(parts.lowerBound) << 32 | UInt64(parts.upperBound)
    }
}
