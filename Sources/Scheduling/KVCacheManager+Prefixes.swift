extension KVCacheManager {
    /// Returns the cached prefix of a new sequence. O(logical blocks).
    ///
    /// - Parameters:
    ///   - hashes: The hashes of the sequence's full logical blocks.
    ///   - tokens: The length of the sequence. At least the last token must be computed, because the next one is sampled from its
    ///     logits.
    func prefixHit(_ hashes: [PrefixHash], tokens: Int) -> PrefixHit {
        guard let prefixes else { return PrefixHit() }
        let limit = max(0, tokens - 1) / geometry.blockSize
        let found = prefixes.hit(hashes, limit: limit, geometry: geometry)
        var hit = PrefixHit(logicalBlocks: found.logicalBlocks, missReason: found.missReason)
        for group in PrefixCache.Group.allCases {
            for blocks in blocks(of: hit, group, hashes) {
                if let first = blocks.first, !prefixes.isIdle(firstBlock: first) { hit.sharedBlocks += blocks.count }
            }
        }
        return hit
    }

    /// Starts a sequence that has no blocks with the logical blocks of `hit`, which must be the latest result of `prefixHit`.
    /// O(logical blocks).
    mutating func start(_ id: SequenceID, hit: PrefixHit, hashes: [PrefixHash]) {
        precondition(sequences[id] == nil, "a sequence begins once")
        guard hit.logicalBlocks > 0 else { return }
        var sequence = emptyBlocks
        sequence.logicalBlocks = hit.logicalBlocks
        sequence.cachedLogicalBlocks = hit.logicalBlocks
        sequence.firstSlidingLogicalBlock = firstLogicalBlock(of: hit, .sliding)
        for blocks in blocks(of: hit, .global, hashes) {
            retain(blocks, .global)
            sequence.global.blocks += blocks
        }
        let nullBlocks = sequence.firstSlidingLogicalBlock * geometry.slidingBlocksPerLogicalBlock
        sequence.sliding.blocks = Array(repeating: BlockTable.nullBlock, count: nullBlocks)
        for blocks in blocks(of: hit, .sliding, hashes) {
            retain(blocks, .sliding)
            sequence.sliding.blocks += blocks
        }
        sequences[id] = sequence
    }

    /// Adds the logical blocks of the sequence's first `computedTokens` tokens to the prefix cache. O(newly full logical blocks).
    ///
    /// - Parameter hashes: The hashes of the sequence's full logical blocks, including these.
    mutating func cache(_ id: SequenceID, computedTokens: Int, hashes: [PrefixHash]) {
        guard prefixes != nil, let sequence = sequences[id] else { return }
        let end = min(computedTokens / geometry.blockSize, hashes.count)
        guard sequence.cachedLogicalBlocks < end else { return }
        for logicalBlock in sequence.cachedLogicalBlocks..<end {
            let hash = hashes[logicalBlock]
            prefixes?.keep(
                PrefixCache.Key(hash: hash, group: .global),
                blocks: sequence.global.blocks(ofLogicalBlock: logicalBlock))
            guard logicalBlock >= sequence.firstSlidingLogicalBlock else { continue }
            prefixes?.keep(
                PrefixCache.Key(hash: hash, group: .sliding),
                blocks: sequence.sliding.blocks(ofLogicalBlock: logicalBlock))
        }
        sequences[id]?.cachedLogicalBlocks = end
    }

    /// Releases the sequence's reference to a logical block of one group. If there are no other references, its blocks become
    /// cached or free.
    ///
    /// - Parameter hash: The logical block's hash, or `nil` if not all of its tokens are computed.
    mutating func freeLogicalBlock(
        _ logicalBlock: Int, _ group: PrefixCache.Group, _ sequence: inout SequenceBlocks, hash: PrefixHash?
    ) {
        let isShared =
            group == .global
            ? releaseShared(logicalBlock, &sequence.global) : releaseShared(logicalBlock, &sequence.sliding)
        if isShared { return }
        let blocks =
            group == .global
            ? sequence.global.removeLogicalBlock(logicalBlock) : sequence.sliding.removeLogicalBlock(logicalBlock)
        guard let first = blocks.first else { return }
        // The logical block may be a copy of one that has been evicted in the meantime.
        if let hash { prefixes?.keep(PrefixCache.Key(hash: hash, group: group), blocks: blocks) }
        let isKnown = prefixes?.contains(firstBlock: first) == true
        for block in blocks { pool.release(block, keepsContent: isKnown) }
        guard pool.referenceCount(of: first) == 0 else { return }
        if isKnown { prefixes?.rest(firstBlock: first) }
        if group == .global { globalBlocks -= blocks.count }
    }

    /// Releases a logical block that other sequences also use. Returns false if no other sequence uses it. Such a logical block is
    /// in the index and stays in use, so it needs no lookup. This matters when all choices of a long prompt end at once.
    private mutating func releaseShared(_ logicalBlock: Int, _ table: inout BlockTable) -> Bool {
        guard table.blocksPerLogicalBlock > 0,
            pool.referenceCount(of: table.block(logicalBlock: logicalBlock, part: 0)) > 1
        else {
            return false
        }
        for part in 0..<table.blocksPerLogicalBlock {
            pool.release(table.block(logicalBlock: logicalBlock, part: part), keepsContent: true)
        }
        table.clear(logicalBlock)
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

    /// Returns the first logical block of a group that the first query after `hit` attends to.
    private func firstLogicalBlock(of hit: PrefixHit, _ group: PrefixCache.Group) -> Int {
        switch group {
        case .global: 0
        case .sliding:
            min(
                hit.logicalBlocks, geometry.firstSlidingLogicalBlock(forQueryAt: hit.logicalBlocks * geometry.blockSize)
            )
        }
    }

    /// Returns the blocks of the logical blocks that `hit` needs in a group, in order. The result is empty for a group without
    /// blocks.
    private func blocks(of hit: PrefixHit, _ group: PrefixCache.Group, _ hashes: [PrefixHash]) -> [[Int32]] {
        hashes[firstLogicalBlock(of: hit, group)..<hit.logicalBlocks].compactMap {
            prefixes?.blocks(PrefixCache.Key(hash: $0, group: group))
        }
    }
}
