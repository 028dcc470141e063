/// The trust of the bytes of a text, as runs in order. Adjacent runs have different trust.
struct TrustMap: Sendable, Hashable {
    private(set) var runs: [Run] = []

    struct Run: Hashable {
        /// The end of the run. The run begins at the end of the previous one.
        var end: Int
        var isTrusted: Bool
    }

    init() {}

    /// The number of bytes in the text.
    var count: Int { runs.last?.end ?? 0 }

    /// Creates a single run for a whole text.
    init(count: Int, isTrusted: Bool) {
        append(count: count, isTrusted: isTrusted)
    }

    mutating func append(count: Int, isTrusted: Bool) {
        guard count > 0 else { return }
        let end = self.count + count
        if let last = runs.indices.last, runs[last].isTrusted == isTrusted {
            runs[last].end = end
        } else {
            runs.append(Run(end: end, isTrusted: isTrusted))
        }
    }

    /// Returns the trust of `range`, which must not be empty, or `nil` if it crosses a boundary. O(log runs).
    func trust(in range: Range<Int>) -> Bool? {
        let run = index(at: range.lowerBound)
        return range.upperBound <= runs[run].end ? runs[run].isTrusted : nil
    }

    /// Returns the run of the byte at `offset`, or the last run.
    private func index(at offset: Int) -> Int {
        var low = 0
        var high = runs.count - 1
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].end > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Returns the runs inside `range`. O(log runs + runs of the result).
    func slices(of range: Range<Int>) -> [(range: Range<Int>, isTrusted: Bool)] {
        guard !runs.isEmpty else { return [] }
        var start = range.lowerBound
        var result: [(range: Range<Int>, isTrusted: Bool)] = []
        for run in runs[index(at: range.lowerBound)...] {
            guard start < range.upperBound else { break }
            let part = range.clamped(to: start..<run.end)
            if !part.isEmpty { result.append((part, run.isTrusted)) }
            start = run.end
        }
        return result
    }

    /// Returns the map of the part `range` of the text.
    func slice(_ range: Range<Int>) -> TrustMap {
        slices(of: range).reduce(into: TrustMap()) { $0.append(count: $1.range.count, isTrusted: $1.isTrusted) }
    }
}
