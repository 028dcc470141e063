/// Merges the symbols of one piece: always the pair of the lowest rank, the leftmost among equals.
///
/// Keeps its memory from piece to piece.
struct PieceMerger {
    /// Token ids to merge; after ``merge(by:)`` the result.
    var symbols: [Int32] = []
    /// For each symbol the rule that would merge it with the next one.
    private var rules: [MergeTable.Rule] = []
    private var heap = MinimumHeap()

    /// Up to this many symbols searching all rules for every merge costs less than keeping a heap.
    static let longestScanned = 32

    mutating func merge(by merges: MergeTable) {
        guard symbols.count > 1 else { return }
        rules.removeAll(keepingCapacity: true)
        for index in 1..<symbols.count { rules.append(merges[symbols[index - 1], symbols[index]]) }
        rules.append(MergeTable.none)
        if symbols.count <= PieceMerger.longestScanned { mergeByScan(merges) } else { mergeByHeap(merges) }
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

    /// O(n log n): candidates wait in a heap by rank and position; those whose pair has changed are dropped when met.
    private mutating func mergeByHeap(_ merges: MergeTable) {
        let end = symbols.count
        var next = Array(1...end)
        var previous = Array(-1..<end - 1)
        for index in rules.indices { offer(index) }
        while let candidate = heap.popMinimum() {
            let left = Int(candidate & 0xFFFF_FFFF)
            // A rank belongs to one pair, so the candidate still holds if the rank does.
            guard rules[left] != MergeTable.none, rules[left] >> 32 == candidate >> 32 else { continue }
            let right = next[left]
            symbols[left] = merged(rules[left])
            symbols[right] = -1
            rules[right] = MergeTable.none
            next[left] = next[right]
            if next[left] < end {
                previous[next[left]] = left
                rules[left] = merges[symbols[left], symbols[next[left]]]
                offer(left)
            } else {
                rules[left] = MergeTable.none
            }
            if previous[left] >= 0 {
                rules[previous[left]] = merges[symbols[previous[left]], symbols[left]]
                offer(previous[left])
            }
        }
        symbols.removeAll { $0 < 0 }
    }

    private mutating func offer(_ index: Int) {
        if rules[index] != MergeTable.none { heap.insert((rules[index] & ~0xFFFF_FFFF) | UInt64(index)) }
    }

    private func merged(_ rule: MergeTable.Rule) -> Int32 {
        Int32(truncatingIfNeeded: rule)
    }
}

/// A binary heap.
private struct MinimumHeap {
    private var elements: [UInt64] = []

    mutating func insert(_ element: UInt64) {
        var index = elements.count
        elements.append(element)
        while index > 0, elements[(index - 1) / 2] > element {
            elements[index] = elements[(index - 1) / 2]
            index = (index - 1) / 2
        }
        elements[index] = element
    }

    mutating func popMinimum() -> UInt64? {
        guard let minimum = elements.first, let last = elements.popLast() else { return nil }
        guard !elements.isEmpty else { return minimum }
        var index = 0
        while 2 * index + 1 < elements.count {
            var child = 2 * index + 1
            if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
            guard elements[child] < last else { break }
            elements[index] = elements[child]
            index = child
        }
        elements[index] = last
        return minimum
    }
}
