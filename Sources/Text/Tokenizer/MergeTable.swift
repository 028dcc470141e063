/// The merge rules by pair of token ids: a hash table with open addressing.
struct MergeTable: Sendable {
    /// A rule's rank in the upper half and the merged token's id in the lower: the least value is the next to apply.
    typealias Rule = UInt64
    static let none = Rule.max

    private var pairs: [UInt64]
    private var rules: [Rule]
    private let shift: Int

    /// An empty table for at most `capacity` rules.
    init(capacity: Int) {
        let bits = max(4, Int.bitWidth - (2 * capacity).leadingZeroBitCount)
        pairs = Array(repeating: .max, count: 1 << bits)
        rules = Array(repeating: MergeTable.none, count: 1 << bits)
        shift = 64 - bits
    }

    /// The rule for `left` followed by `right`; ``none`` if the two never merge.
    subscript(left: Int32, right: Int32) -> Rule {
        rules[slot(of: MergeTable.pair(left, right))]
    }

    /// Sets the rule of a pair; a later rule for the same pair replaces the former.
    mutating func set(left: Int32, right: Int32, rank: Int, merged: Int32) {
        let pair = MergeTable.pair(left, right)
        let slot = slot(of: pair)
        pairs[slot] = pair
        rules[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merged))
    }

    private func slot(of pair: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: (pair &* 0x9E37_79B9_7F4A_7C15) >> UInt64(shift))
        while pairs[slot] != pair, pairs[slot] != .max { slot = (slot + 1) & (pairs.count - 1) }
        return slot
    }

    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }
}
