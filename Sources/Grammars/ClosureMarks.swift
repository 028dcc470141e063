/// The elements met while one closure of a ``GrammarAutomaton`` is computed. Cleared in O(1).
struct ClosureMarks {
    private struct Entry {
        var element: Int32 = 0
        var parent: Int32 = 0
        /// Rounds read, if they are not compared; otherwise -1.
        var exact: Int32 = 0
        /// The fewest rounds read, if they are compared.
        var fewest: Int32 = 0
        var memo: Int32 = 0
        var epoch: UInt32 = 0
    }

    private var entries: [Entry] = Array(repeating: Entry(), count: 256)
    private var epoch: UInt32 = 1
    private var count = 0
    private let seed = UInt64.random(in: .min ... .max) | 1

    mutating func removeAll() {
        count = 0
        epoch &+= 1
        if epoch == 0 || entries.count > 1 << 16 {
            entries = Array(repeating: Entry(), count: 256)
            epoch = 1
        }
    }

    /// False if the element was already met on the same parent: with the same rounds or, if `isComparable`, with at most as
    /// many.
    mutating func insert(_ frame: GrammarFrames.Frame, isComparable: Bool) -> Bool {
        if count * 2 >= entries.count { grow() }
        let entry = Entry(
            element: frame.element, parent: frame.parent, exact: isComparable ? -1 : frame.count, fewest: frame.count,
            memo: frame.memo, epoch: epoch)
        let place = place(of: entry)
        guard entries[place].epoch == epoch else {
            entries[place] = entry
            count += 1
            return true
        }
        guard entries[place].fewest > frame.count else { return false }
        entries[place].fewest = frame.count
        return true
    }

    /// The index of an entry, or the index where it belongs.
    private func place(of entry: Entry) -> Int {
        let low = UInt64(UInt32(bitPattern: entry.element)) | UInt64(UInt32(bitPattern: entry.parent)) << 32
        let mixed = (low ^ seed >> 7).multipliedFullWidth(
            by: seed ^ UInt64(UInt32(bitPattern: entry.exact)) ^ UInt64(UInt32(bitPattern: entry.memo)) << 32)
        var place = Int(truncatingIfNeeded: mixed.high ^ mixed.low) & (entries.count - 1)
        while entries[place].epoch == epoch,
            entries[place].element != entry.element || entries[place].parent != entry.parent
                || entries[place].exact != entry.exact || entries[place].memo != entry.memo
        {
            place = (place + 1) & (entries.count - 1)
        }
        return place
    }

    private mutating func grow() {
        let old = entries
        entries = Array(repeating: Entry(), count: old.count * 2)
        for entry in old where entry.epoch == epoch { entries[place(of: entry)] = entry }
    }
}
