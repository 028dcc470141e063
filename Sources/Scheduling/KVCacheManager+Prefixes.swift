extension KVCacheManager {
    /// What is there already of a sequence that is to begin. O(slots).
    ///
    /// - Parameters:
    ///   - hashes: of the sequence's full slots.
    ///   - tokens: its length. At least the last one stays to be computed: the next is sampled from its logits.
    func prefixHit(_ hashes: [PrefixHash], tokens: Int) -> PrefixHit {
        guard let prefixes else { return PrefixHit() }
        let limit = max(0, tokens - 1) / geometry.blockSize
        let found = prefixes.hit(hashes, limit: limit, geometry: geometry)
        var hit = PrefixHit(slots: found.slots, missReason: found.missReason)
        for group in PrefixCache.Group.allCases {
            for blocks in slotBlocks(of: hit, group, hashes) {
                if let first = blocks.first, !prefixes.isIdle(firstBlock: first) { hit.sharedBlocks += blocks.count }
            }
        }
        return hit
    }

    /// Begins a sequence without blocks with the slots of `hit`, which must be what `prefixHit` has just returned.
    /// O(slots).
    mutating func start(_ id: SequenceID, hit: PrefixHit, hashes: [PrefixHash]) {
        precondition(sequences[id] == nil, "a sequence begins once")
        guard hit.slots > 0 else { return }
        var sequence = emptyBlocks
        sequence.slots = hit.slots
        sequence.cachedSlots = hit.slots
        sequence.firstSlidingSlot = firstSlot(of: hit, .sliding)
        for blocks in slotBlocks(of: hit, .global, hashes) {
            retain(blocks, .global)
            sequence.global.blocks += blocks
        }
        let nullBlocks = sequence.firstSlidingSlot * geometry.slidingBlocksPerSlot
        sequence.sliding.blocks = Array(repeating: BlockTable.nullBlock, count: nullBlocks)
        for blocks in slotBlocks(of: hit, .sliding, hashes) {
            retain(blocks, .sliding)
            sequence.sliding.blocks += blocks
        }
        sequences[id] = sequence
    }

    /// Makes the slots of the sequence's first `computedTokens` tokens known. O(slots that have become full).
    ///
    /// - Parameter hashes: of the sequence's full slots, these among them.
    mutating func cache(_ id: SequenceID, computedTokens: Int, hashes: [PrefixHash]) {
        guard prefixes != nil, let sequence = sequences[id] else { return }
        let end = min(computedTokens / geometry.blockSize, hashes.count)
        guard sequence.cachedSlots < end else { return }
        for slot in sequence.cachedSlots..<end {
            let hash = hashes[slot]
            prefixes?.keep(PrefixCache.Key(hash: hash, group: .global), blocks: sequence.global.slotBlocks(slot))
            guard slot >= sequence.firstSlidingSlot else { continue }
            prefixes?.keep(PrefixCache.Key(hash: hash, group: .sliding), blocks: sequence.sliding.slotBlocks(slot))
        }
        sequences[id]?.cachedSlots = end
    }

    /// Releases a slot of one group for the sequence; without other references its blocks are then cached, or free.
    ///
    /// - Parameter hash: the slot's, when all its tokens are computed.
    mutating func freeSlot(
        _ slot: Int, _ group: PrefixCache.Group, _ sequence: inout SequenceBlocks, hash: PrefixHash?
    ) {
        let isShared =
            group == .global ? releaseShared(slot, &sequence.global) : releaseShared(slot, &sequence.sliding)
        if isShared { return }
        let blocks = group == .global ? sequence.global.removeSlot(slot) : sequence.sliding.removeSlot(slot)
        guard let first = blocks.first else { return }
        // The slot may have been a copy of one that has been evicted since.
        if let hash { prefixes?.keep(PrefixCache.Key(hash: hash, group: group), blocks: blocks) }
        let isKnown = prefixes?.contains(firstBlock: first) == true
        for block in blocks { pool.release(block, keepsContent: isKnown) }
        guard pool.referenceCount(of: first) == 0 else { return }
        if isKnown { prefixes?.rest(firstBlock: first) }
        if group == .global { globalBlocks -= blocks.count }
    }

    /// Releases a slot that other sequences use too; false: none does. Such a slot is known, and stays in use,
    /// so nothing need be looked up: all choices of a long prompt may end at once.
    private mutating func releaseShared(_ slot: Int, _ table: inout BlockTable) -> Bool {
        guard table.blocksPerSlot > 0, pool.referenceCount(of: table.block(slot: slot, part: 0)) > 1 else {
            return false
        }
        for part in 0..<table.blocksPerSlot { pool.release(table.block(slot: slot, part: part), keepsContent: true) }
        table.clear(slot)
        return true
    }

    private mutating func retain(_ blocks: [Int32], _ group: PrefixCache.Group) {
        guard let first = blocks.first else { return }
        if prefixes?.isIdle(firstBlock: first) == true {
            prefixes?.use(firstBlock: first)
            if group == .global { globalBlocks += blocks.count }
        }
        for block in blocks { pool.retain(block) }
    }

    /// The first slot of a group that the first query after `hit` sees.
    private func firstSlot(of hit: PrefixHit, _ group: PrefixCache.Group) -> Int {
        switch group {
        case .global: 0
        case .sliding: min(hit.slots, geometry.firstSlidingSlot(forQueryAt: hit.slots * geometry.blockSize))
        }
    }

    /// The blocks of the slots that `hit` needs in a group, slot by slot; none for a group without blocks.
    private func slotBlocks(of hit: PrefixHit, _ group: PrefixCache.Group, _ hashes: [PrefixHash]) -> [[Int32]] {
        hashes[firstSlot(of: hit, group)..<hit.slots].compactMap {
            prefixes?.blocks(PrefixCache.Key(hash: $0, group: group))
        }
    }
}
