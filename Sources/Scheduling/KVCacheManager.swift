// Which blocks each sequence holds in the two groups. Counts tokens and blocks; the bytes behind them are the engine's.

/// The block tables of all sequences, over one pool.
///
/// The two tables of a sequence always have the same number of slots. The tokens of one sequence, when the next query to
/// be computed is at `q`:
///
///     tokens    0 ............... q - window + 1 ......... q ....... tokens ....... slots * blockSize
///     global    [ held                                                                 ]
///     sliding   [ null (whole slots) | held                                            ]
///
/// Slots are only added at the end (``allocate(_:upTo:)``) and, in the sliding group, only freed at the beginning
/// (``freeOutsideWindow(_:nextQuery:)``).
public struct KVCacheManager: Sendable {
    public let geometry: KVCacheGeometry
    private(set) var pool: BlockPool
    private(set) var sequences: [SequenceID: SequenceBlocks] = [:]
    /// Blocks held in the global group.
    public private(set) var globalBlocks = 0

    /// What one sequence holds.
    struct SequenceBlocks: Sendable {
        var slots = 0
        /// Slots of the sliding group before this one are null.
        var firstSlidingSlot = 0
        var global: BlockTable
        var sliding: BlockTable
    }

    /// - Precondition: a block size and a window of at least 1, and at least one group with blocks.
    public init(geometry: KVCacheGeometry) {
        precondition(geometry.blockSize > 0, "a slot holds at least one token")
        precondition(geometry.slidingWindow > 0 || geometry.slidingBlocksPerSlot == 0, "a query sees at least itself")
        precondition(
            geometry.globalBlocksPerSlot >= 0 && geometry.slidingBlocksPerSlot >= 0 && geometry.blocksPerSlot > 0,
            "a slot takes at least one block")
        self.geometry = geometry
        pool = BlockPool(totalBlocks: geometry.totalBlocks)
    }

    public var freeBlocks: Int { pool.freeBlocks }

    /// Blocks held in the sliding group.
    public var slidingBlocks: Int { pool.heldBlocks - globalBlocks }

    /// The length in tokens up to which the sequence's slots and the free blocks suffice.
    public func allocatableTokens(_ id: SequenceID) -> Int {
        let heldSlots = sequences[id]?.slots ?? 0
        return (heldSlots + pool.freeBlocks / geometry.blocksPerSlot) * geometry.blockSize
    }

    /// Whether the sequence can have slots for its first `tokens` tokens.
    public func canAllocate(_ id: SequenceID, upTo tokens: Int) -> Bool {
        tokens <= allocatableTokens(id)
    }

    /// Gives the sequence slots in both groups so that they reach over its first `tokens` tokens; what it has, it keeps.
    /// O(slots added).
    ///
    /// - Precondition: `canAllocate(id, upTo: tokens)`.
    public mutating func allocate(_ id: SequenceID, upTo tokens: Int) {
        let slots = geometry.slots(tokens: tokens)
        var blocks = sequences.removeValue(forKey: id) ?? emptyBlocks
        while blocks.slots < slots {
            blocks.global.appendSlot(from: &pool)
            blocks.sliding.appendSlot(from: &pool)
            blocks.slots += 1
            globalBlocks += geometry.globalBlocksPerSlot
        }
        sequences[id] = blocks
    }

    /// Frees the sliding slots that no query at `nextQuery` or later sees. O(slots freed).
    public mutating func freeOutsideWindow(_ id: SequenceID, nextQuery: Int) {
        guard var blocks = sequences.removeValue(forKey: id) else { return }
        let firstSlot = min(geometry.firstSlidingSlot(forQueryAt: nextQuery), blocks.slots)
        if firstSlot > blocks.firstSlidingSlot {
            blocks.sliding.releaseSlots(blocks.firstSlidingSlot..<firstSlot, to: &pool)
            blocks.firstSlidingSlot = firstSlot
        }
        sequences[id] = blocks
    }

    /// Frees all that the sequence holds; nothing happens when it holds nothing. O(slots).
    public mutating func release(_ id: SequenceID) {
        guard var blocks = sequences.removeValue(forKey: id) else { return }
        blocks.global.releaseSlots(0..<blocks.slots, to: &pool)
        blocks.sliding.releaseSlots(blocks.firstSlidingSlot..<blocks.slots, to: &pool)
        globalBlocks -= blocks.slots * geometry.globalBlocksPerSlot
    }

    /// The sequence's tables, empty when it holds nothing.
    public func blockTables(_ id: SequenceID) -> (global: BlockTable, sliding: BlockTable) {
        let blocks = sequences[id] ?? emptyBlocks
        return (blocks.global, blocks.sliding)
    }

    private var emptyBlocks: SequenceBlocks {
        SequenceBlocks(
            global: BlockTable(blocksPerSlot: geometry.globalBlocksPerSlot),
            sliding: BlockTable(blocksPerSlot: geometry.slidingBlocksPerSlot))
    }
}
