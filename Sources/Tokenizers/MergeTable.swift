/// The merge rules by pair of token ids, in a hash table with open addressing.
struct MergeTable: Sendable {
    /// A rule's rank in the upper half, and the id of the merged token in the lower half. The rule with the smallest value is
    /// applied next.
    typealias Rule = UInt64
    static let none = Rule.max

    private struct Slot {
        var pair = UInt64.max
        var rule = MergeTable.none
    }

    /// At most half of the slots are used.
    private var slots: [Slot]
    private var shift: Int
    private var used = 0
    /// Whether a rule joins a word mark (U+2581) with a preceding character. If not, no token extends across the beginning of a
    /// word.
    var joinsWords = false

    /// Creates an empty table with room for `capacity` rules. It grows if more are added.
    init(capacity: Int) {
        let bits = max(4, Int.bitWidth - (2 * capacity).leadingZeroBitCount)
        slots = Array(repeating: Slot(), count: 1 << bits)
        shift = 64 - bits
    }

    /// The rule for `left` followed by `right`, or ``none`` if they are never merged.
    subscript(left: Int32, right: Int32) -> Rule {
        slots[slot(of: MergeTable.pair(left, right))].rule
    }

    /// Sets the rule of a pair. A later rule for the same pair replaces the earlier one.
    mutating func set(left: Int32, right: Int32, rank: Int, merged: Int32) {
        if (used + 1) * 2 > slots.count { grow() }
        let rule = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merged))
        set(Slot(pair: MergeTable.pair(left, right), rule: rule))
    }

    private mutating func set(_ new: Slot) {
        let place = slot(of: new.pair)
        if slots[place].pair == .max { used += 1 }
        slots[place] = new
    }

    private mutating func grow() {
        let old = slots
        let joinsWords = joinsWords
        self = MergeTable(capacity: slots.count)
        self.joinsWords = joinsWords
        for slot in old where slot.pair != .max { set(slot) }
    }

    private func slot(of pair: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: (pair &* 0x9E37_79B9_7F4A_7C15) >> UInt64(shift))
        while slots[slot].pair != pair, slots[slot].pair != .max { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }
}
