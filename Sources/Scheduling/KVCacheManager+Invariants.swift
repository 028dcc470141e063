extension KVCacheManager {
    /// The first invariant that does not hold, in words; `nil` when all hold. O(blocks of the pool + blocks of all tables).
    public func violatedInvariant() -> String? {
        if let violation = pool.violatedInvariant() { return violation }
        var references = Array(repeating: 0, count: geometry.totalBlocks)
        var allocatedGlobalBlocks: Set<Int32> = []
        for (id, sequence) in sequences {
            let (slots, firstSlot) = (sequence.slots, sequence.firstSlidingSlot)
            guard sequence.global.blocks.count == slots * geometry.globalBlocksPerSlot,
                sequence.sliding.blocks.count == slots * geometry.slidingBlocksPerSlot
            else { return "the tables of \(id) are not of \(slots) slots" }
            for block in sequence.global.blocks {
                if block == BlockTable.nullBlock { return "\(id) lacks a global block" }
                references[Int(block)] += 1
            }
            let firstHeld = firstSlot * geometry.slidingBlocksPerSlot
            for (index, block) in sequence.sliding.blocks.enumerated() {
                let isNull = block == BlockTable.nullBlock
                if isNull != (index < firstHeld) { return "the window of \(id) does not begin at slot \(firstSlot)" }
                if !isNull { references[Int(block)] += 1 }
            }
            allocatedGlobalBlocks.formUnion(sequence.global.blocks)
        }
        if allocatedGlobalBlocks.count != globalBlocks {
            return "\(globalBlocks) global blocks are counted, \(allocatedGlobalBlocks.count) are allocated"
        }
        for (block, count) in references.enumerated() where count != pool.referenceCount(of: Int32(block)) {
            return "block \(block) is in \(count) tables and has \(pool.referenceCount(of: Int32(block))) references"
        }
        return violatedCacheInvariant()
    }

    /// The same for what is cached: a known slot is idle exactly when its blocks are cached, and no other block is.
    private func violatedCacheInvariant() -> String? {
        guard let prefixes else { return pool.cachedBlocks == 0 ? nil : "blocks are cached without a cache" }
        var idleBlocks = 0
        for (key, blocks) in prefixes.slots {
            let expected = key.group == .global ? geometry.globalBlocksPerSlot : geometry.slidingBlocksPerSlot
            guard let first = blocks.first, blocks.count == expected, prefixes.keys[first] == key else {
                return "the cached slot of block \(blocks.first ?? BlockTable.nullBlock) is not what its key says"
            }
            let isIdle = prefixes.isIdle(firstBlock: first)
            if isIdle { idleBlocks += blocks.count }
            for block in blocks where pool.isCached(block) != isIdle || pool.referenceCount(of: block) == 0 && !isIdle {
                return "block \(block) of a known slot is free, or idle and allocated"
            }
        }
        if prefixes.keys.count != prefixes.slots.count { return "a cached slot is listed under two blocks" }
        return idleBlocks == pool.cachedBlocks ? nil : "\(pool.cachedBlocks) blocks are cached, \(idleBlocks) idle"
    }

    /// Stops the process when the tables and the pool disagree.
    public func checkInvariants() {
        let violation = violatedInvariant()
        precondition(violation == nil, violation ?? "")
    }
}
