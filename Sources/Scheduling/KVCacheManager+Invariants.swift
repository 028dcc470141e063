extension KVCacheManager {
    /// Returns a description of the first violated invariant, or `nil` if there is none. O(blocks of the pool + blocks of all
    /// tables).
    public func violatedInvariant() -> String? {
        if let violation = pool.violatedInvariant() { return violation }
        var references = Array(repeating: 0, count: geometry.totalBlocks)
        var allocatedGlobalBlocks: Set<Int32> = []
        for (id, sequence) in sequences {
            let (logicalBlocks, firstLogicalBlock) = (sequence.logicalBlocks, sequence.firstSlidingLogicalBlock)
            guard sequence.global.blocks.count == logicalBlocks * geometry.globalBlocksPerLogicalBlock,
                sequence.sliding.blocks.count == logicalBlocks * geometry.slidingBlocksPerLogicalBlock
            else { return "the tables of \(id) are not of \(logicalBlocks) logical blocks" }
            for block in sequence.global.blocks {
                if block == BlockTable.nullBlock { return "\(id) lacks a global block" }
                references[Int(block)] += 1
            }
            let firstAllocated = firstLogicalBlock * geometry.slidingBlocksPerLogicalBlock
            for (index, block) in sequence.sliding.blocks.enumerated() {
                let isNull = block == BlockTable.nullBlock
                if isNull != (index < firstAllocated) {
                    return "the window of \(id) does not begin at logical block \(firstLogicalBlock)"
                }
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

    /// Returns the first violation of the invariant of cached blocks: a known logical block is idle if and only if its blocks are
    /// cached, and no other block is cached.
    private func violatedCacheInvariant() -> String? {
        guard let prefixes else { return pool.cachedBlocks == 0 ? nil : "blocks are cached without a cache" }
        var idleBlocks = 0
        for (key, blocks) in prefixes.logicalBlocks {
            let expected =
                key.group == .global ? geometry.globalBlocksPerLogicalBlock : geometry.slidingBlocksPerLogicalBlock
            guard let first = blocks.first, blocks.count == expected, prefixes.keys[first] == key else {
                return
                    "the cached logical block of block \(blocks.first ?? BlockTable.nullBlock) is not what its key says"
            }
            let isIdle = prefixes.isIdle(firstBlock: first)
            if isIdle { idleBlocks += blocks.count }
            for block in blocks where pool.isCached(block) != isIdle || pool.referenceCount(of: block) == 0 && !isIdle {
                return "block \(block) of a known logical block is free, or idle and allocated"
            }
        }
        if prefixes.keys.count != prefixes.logicalBlocks.count {
            return "a cached logical block is listed under two blocks"
        }
        return idleBlocks == pool.cachedBlocks ? nil : "\(pool.cachedBlocks) blocks are cached, \(idleBlocks) idle"
    }
}
