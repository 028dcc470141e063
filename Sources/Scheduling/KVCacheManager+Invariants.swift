extension KVCacheManager {
    /// The first invariant that does not hold, in words; `nil` when all hold. O(blocks of the pool + blocks of all tables).
    public func violatedInvariant() -> String? {
        if let violation = pool.violatedInvariant() { return violation }
        var holders = Array(repeating: 0, count: geometry.totalBlocks)
        var globalBlocks = 0
        for (id, sequence) in sequences {
            let (slots, firstSlot) = (sequence.slots, sequence.firstSlidingSlot)
            guard sequence.global.blocks.count == slots * geometry.globalBlocksPerSlot,
                sequence.sliding.blocks.count == slots * geometry.slidingBlocksPerSlot
            else { return "the tables of \(id) are not of \(slots) slots" }
            for block in sequence.global.blocks {
                if block == BlockTable.nullBlock { return "\(id) lacks a global block" }
                holders[Int(block)] += 1
            }
            let firstHeld = firstSlot * geometry.slidingBlocksPerSlot
            for (index, block) in sequence.sliding.blocks.enumerated() {
                let isNull = block == BlockTable.nullBlock
                if isNull != (index < firstHeld) { return "the window of \(id) does not begin at slot \(firstSlot)" }
                if !isNull { holders[Int(block)] += 1 }
            }
            globalBlocks += sequence.global.blocks.count
        }
        if globalBlocks != self.globalBlocks {
            return "\(self.globalBlocks) global blocks are counted, \(globalBlocks) held"
        }
        for (block, count) in holders.enumerated() where count != pool.referenceCount(of: Int32(block)) {
            return "block \(block) is in \(count) tables and held \(pool.referenceCount(of: Int32(block))) times"
        }
        return nil
    }

    /// Stops the process when the tables and the pool disagree.
    public func checkInvariants() {
        let violation = violatedInvariant()
        precondition(violation == nil, violation ?? "")
    }
}
