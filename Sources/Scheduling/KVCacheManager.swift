// Tracks which blocks each sequence has in the two groups, and which blocks stay cached after the sequence ends. It manages tokens
// and block numbers; the engine owns the memory.

/// The block tables of all sequences, which share one pool of blocks.
///
/// The two tables of a sequence always have the same number of logical blocks. If the next query to compute is at `q`, the tokens
/// of the sequence are stored as follows:
///
///     tokens    0 ............... q - window + 1 ......... q ....... tokens ....... logicalBlocks * blockSize
///     global    [ allocated                                                            ]
///     sliding   [ null (whole logical blocks) | allocated                              ]
///
/// Logical blocks are added only at the end (``allocate(_:upTo:)``) and, in the sliding group, freed only at the beginning. A
/// sequence may begin with logical blocks that other sequences have computed (``start(_:hit:hashes:)``). A block without references
/// is cached if its logical block is full and computed (see ``PrefixCache``), and free otherwise:
///
///     free + allocated + cached = pool
public struct KVCacheManager: Sendable {
    public let geometry: KVCacheGeometry
    var pool: BlockPool
    var sequences: [SequenceID: SequenceBlocks] = [:]
    /// The prefix cache, or `nil` if logical blocks are not kept after their sequences end.
    var prefixes: PrefixCache?
    /// The number of allocated blocks of the global group. A block with several references counts once.
    public internal(set) var globalBlocks = 0

    /// The blocks of one sequence.
    struct SequenceBlocks: Sendable {
        var logicalBlocks = 0
        /// The first logical block of the sliding group that is not null.
        var firstSlidingLogicalBlock = 0
        /// The number of leading logical blocks that have been passed to the prefix cache.
        var cachedLogicalBlocks = 0
        var global: BlockTable
        var sliding: BlockTable
    }

    /// The part of a sequence that does not need to be computed.
    struct PrefixHit: Equatable {
        /// The number of leading logical blocks that are cached.
        var logicalBlocks = 0
        /// The number of their blocks that other sequences use now, so that they do not need to be allocated.
        var sharedBlocks = 0
        /// Why the hit is not longer. `nil` if it has the maximum length or if prefixes are not cached.
        var missReason: PrefixMissReason?
    }

    /// - Precondition: The block size and the window are at least 1, and at least one group has blocks.
    public init(geometry: KVCacheGeometry, cachesPrefixes: Bool = true) {
        precondition(geometry.blockSize > 0, "a logical block holds at least one token")
        precondition(
            geometry.slidingWindow > 0 || geometry.slidingBlocksPerLogicalBlock == 0, "a query sees at least itself")
        precondition(
            geometry.globalBlocksPerLogicalBlock >= 0 && geometry.slidingBlocksPerLogicalBlock >= 0
                && geometry.blocksPerLogicalBlock > 0,
            "a logical block takes at least one block")
        self.geometry = geometry
        pool = BlockPool(totalBlocks: geometry.totalBlocks)
        prefixes = cachesPrefixes ? PrefixCache(totalBlocks: geometry.totalBlocks) : nil
    }

    public var freeBlocks: Int { pool.freeBlocks }

    public var cachedBlocks: Int { pool.cachedBlocks }

    /// The number of blocks that can be allocated: free blocks, and cached blocks after eviction.
    public var availableBlocks: Int { pool.freeBlocks + pool.cachedBlocks }

    /// The number of allocated blocks of the sliding group. A block with several references counts once.
    public var slidingBlocks: Int { pool.allocatedBlocks - globalBlocks }

    /// Returns the number of blocks of the sequence, including shared ones.
    func allocatedBlocks(_ id: SequenceID) -> Int {
        guard let blocks = sequences[id] else { return 0 }
        return blocks.logicalBlocks * geometry.globalBlocksPerLogicalBlock
            + (blocks.logicalBlocks - blocks.firstSlidingLogicalBlock) * geometry.slidingBlocksPerLogicalBlock
    }

    /// Returns the maximum length in tokens for which the sequence's logical blocks and the available blocks suffice.
    public func allocatableTokens(_ id: SequenceID) -> Int {
        let allocatedLogicalBlocks = sequences[id]?.logicalBlocks ?? 0
        return (allocatedLogicalBlocks + availableBlocks / geometry.blocksPerLogicalBlock) * geometry.blockSize
    }

    /// Returns whether logical blocks can be allocated for the sequence's first `tokens` tokens.
    public func canAllocate(_ id: SequenceID, upTo tokens: Int) -> Bool {
        tokens <= allocatableTokens(id)
    }

    /// Allocates logical blocks in both groups for the sequence's first `tokens` tokens, in addition to its existing ones.
    /// O(logical blocks added).
    ///
    /// - Precondition: `canAllocate(id, upTo: tokens)` is true.
    public mutating func allocate(_ id: SequenceID, upTo tokens: Int) {
        let logicalBlocks = geometry.logicalBlocks(tokens: tokens)
        var blocks = sequences.removeValue(forKey: id) ?? emptyBlocks
        while blocks.logicalBlocks < logicalBlocks {
            for _ in 0..<geometry.globalBlocksPerLogicalBlock { blocks.global.blocks.append(takeBlock()) }
            for _ in 0..<geometry.slidingBlocksPerLogicalBlock { blocks.sliding.blocks.append(takeBlock()) }
            blocks.logicalBlocks += 1
            globalBlocks += geometry.globalBlocksPerLogicalBlock
        }
        sequences[id] = blocks
    }

    /// Returns the sequence's tables, which are empty if it has no blocks.
    public func blockTables(_ id: SequenceID) -> (global: BlockTable, sliding: BlockTable) {
        let blocks = sequences[id] ?? emptyBlocks
        return (blocks.global, blocks.sliding)
    }

    /// Frees the sliding logical blocks that no query at `nextQuery` or later attends to. O(logical blocks freed).
    ///
    /// - Parameter hashes: The hashes of the sequence's full logical blocks. A logical block is not cached if it has no hash, or if
    ///   not all of its tokens are before `nextQuery`.
    mutating func freeOutsideWindow(_ id: SequenceID, nextQuery: Int, hashes: [PrefixHash] = []) {
        guard var blocks = sequences.removeValue(forKey: id) else { return }
        let firstLogicalBlock = min(geometry.firstSlidingLogicalBlock(forQueryAt: nextQuery), blocks.logicalBlocks)
        if firstLogicalBlock > blocks.firstSlidingLogicalBlock {
            for logicalBlock in (blocks.firstSlidingLogicalBlock..<firstLogicalBlock).reversed() {
                freeLogicalBlock(
                    logicalBlock, .sliding, &blocks, hash: logicalBlock < hashes.count ? hashes[logicalBlock] : nil)
            }
            blocks.firstSlidingLogicalBlock = firstLogicalBlock
        }
        sequences[id] = blocks
    }

    /// Frees all blocks of the sequence, starting with the last logical block. Has no effect if the sequence has none. O(logical
    /// blocks).
    ///
    /// - Parameters:
    ///   - computedTokens: The number of computed tokens at the start of the sequence. A logical block that extends beyond them is
    ///     not cached.
    ///   - hashes: The hashes of the sequence's full logical blocks. A logical block without a hash is not cached.
    mutating func release(_ id: SequenceID, computedTokens: Int = 0, hashes: [PrefixHash] = []) {
        guard var blocks = sequences.removeValue(forKey: id) else { return }
        let hashes = hashes.prefix(computedTokens / geometry.blockSize)
        for logicalBlock in (0..<blocks.logicalBlocks).reversed() {
            let hash = logicalBlock < hashes.count ? hashes[logicalBlock] : nil
            if logicalBlock >= blocks.firstSlidingLogicalBlock {
                freeLogicalBlock(logicalBlock, .sliding, &blocks, hash: hash)
            }
            freeLogicalBlock(logicalBlock, .global, &blocks, hash: hash)
        }
    }

    /// Allocates a free block, after evicting a cached logical block if none is free.
    private mutating func takeBlock() -> Int32 {
        if pool.freeBlocks == 0 {
            for block in prefixes?.evict() ?? [] { pool.evict(block) }
        }
        return pool.allocate()
    }

    /// The initial state of a sequence without blocks.
    var emptyBlocks: SequenceBlocks {
        SequenceBlocks(
            global: BlockTable(blocksPerLogicalBlock: geometry.globalBlocksPerLogicalBlock),
            sliding: BlockTable(blocksPerLogicalBlock: geometry.slidingBlocksPerLogicalBlock))
    }
}
