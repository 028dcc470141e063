import Basics

/// Merges the symbols of one piece. The pair with the lowest rank is merged first, and of equal ranks the leftmost pair.
///
/// The memory is reused from piece to piece.
struct PieceMerger {
    /// The token ids to merge. After ``merge(by:)``, the result.
    var symbols: [Int32] = []
    /// The rule that merges each symbol with the next one.
    private var rules: [MergeTable.Rule] = []
    private var heap = MinimumHeap()
    /// The neighbors of each symbol, for long pieces.
    private var next: [Int32] = []
    private var previous: [Int32] = []

    /// The maximum number of symbols for which scanning all rules for each merge is faster than a heap.
    static let longestScanned = 32
    /// The maximum number of symbols for which memory is kept after a text.
    private static let longestKept = 1 << 16

    mutating func merge(by merges: MergeTable) {
        guard symbols.count > 1 else { return }
        rules.removeAll(keepingCapacity: true)
        for index in 1..<symbols.count {
            if index % 4096 == 0, Cancellation.isRequested { return }
            rules.append(merges[symbols[index - 1], symbols[index]])
        }
        rules.append(MergeTable.none)
        if symbols.count <= PieceMerger.longestScanned { mergeByScan(merges) } else { mergeByHeap(merges) }
    }

    /// Frees the memory of a very long piece.
    mutating func trim() {
        if symbols.capacity > PieceMerger.longestKept { self = PieceMerger() }
    }

    private mutating func mergeByScan(_ merges: MergeTable) {
        while true {
            var best = 0
            for index in rules.indices where rules[index] < rules[best] { best = index }
            guard rules[best] != MergeTable.none else { return }
            symbols[best] = merged(rules[best])
            symbols.remove(at: best + 1)
            rules.remove(at: best)
            rules[best] = best + 1 < symbols.count ? merges[symbols[best], symbols[best + 1]] : MergeTable.none
            if best > 0 { rules[best - 1] = merges[symbols[best - 1], symbols[best]] }
        }
    }

    /// Merges in O(n log n). A heap orders the candidates by rank and position. A candidate whose pair has changed is discarded
    /// when it is taken from the heap.
    private mutating func mergeByHeap(_ merges: MergeTable) {
        let end = symbols.count
        next.removeAll(keepingCapacity: true)
        previous.removeAll(keepingCapacity: true)
        for index in 0..<Int32(end) {
            if index % (1 << 14) == 0, Cancellation.isRequested { return }
            next.append(index + 1)
            previous.append(index - 1)
        }
        heap.removeAll()
        for index in rules.indices where rules[index] != MergeTable.none {
            if index % (1 << 14) == 0, Cancellation.isRequested { return }
            heap.append(candidate(index))
        }
        heap.order()
        var steps = 0
        while let candidate = heap.popMinimum() {
            steps &+= 1
            if steps % 4096 == 0, Cancellation.isRequested { break }
            let left = Int(candidate & 0xFFFF_FFFF)
            // A rank belongs to one pair, so the candidate is valid if the rank is unchanged.
            guard rules[left] != MergeTable.none, rules[left] >> 32 == candidate >> 32 else { continue }
            let right = Int(next[left])
            symbols[left] = merged(rules[left])
            symbols[right] = -1
            rules[right] = MergeTable.none
            next[left] = next[right]
            let following = Int(next[left])
            if following < end {
                previous[following] = Int32(left)
                rules[left] = merges[symbols[left], symbols[following]]
                offer(left)
            } else {
                rules[left] = MergeTable.none
            }
            let preceding = Int(previous[left])
            if preceding >= 0 {
                rules[preceding] = merges[symbols[preceding], symbols[left]]
                offer(preceding)
            }
        }
        symbols.removeAll { $0 < 0 }
    }

    private mutating func offer(_ index: Int) {
        if rules[index] != MergeTable.none { heap.insert(candidate(index)) }
    }

    private func candidate(_ index: Int) -> UInt64 {
        (rules[index] & ~0xFFFF_FFFF) | UInt64(index)
    }

    private func merged(_ rule: MergeTable.Rule) -> Int32 {
        Int32(truncatingIfNeeded: rule)
    }
}

/// A heap in which each node has four children. It is half as deep as a binary heap, and siblings share a cache line.
private struct MinimumHeap {
    private var elements: [UInt64] = []

    mutating func removeAll() {
        elements.removeAll(keepingCapacity: true)
    }

    /// Appends an element without restoring the heap order, which ``order()`` does.
    mutating func append(_ element: UInt64) {
        elements.append(element)
    }

    /// Builds the heap from the appended elements in linear time.
    mutating func order() {
        for index in elements.indices.prefix(elements.count / 4 + 1).reversed() {
            if index % 4096 == 4095, Cancellation.isRequested { return }
            sink(elements[index], from: index)
        }
    }

    mutating func insert(_ element: UInt64) {
        var index = elements.count
        elements.append(element)
        while index > 0, elements[(index - 1) / 4] > element {
            elements[index] = elements[(index - 1) / 4]
            index = (index - 1) / 4
        }
        elements[index] = element
    }

    mutating func popMinimum() -> UInt64? {
        guard let minimum = elements.first, let last = elements.popLast() else { return nil }
        if !elements.isEmpty { sink(last, from: 0) }
        return minimum
    }

    private mutating func sink(_ element: UInt64, from start: Int) {
        var index = start
        while 4 * index + 1 < elements.count {
            let first = 4 * index + 1
            var child = first
            for other in first..<min(first + 4, elements.count) where elements[other] < elements[child] {
                child = other
            }
            guard elements[child] < element else { break }
            elements[index] = elements[child]
            index = child
        }
        elements[index] = element
    }
}
