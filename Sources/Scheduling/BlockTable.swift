/// Where one sequence's keys and values of one group lie: slot by slot, `blocksPerSlot` block numbers each.
///
/// Slot s holds tokens `s * blockSize ..< (s + 1) * blockSize`; its part p (see ``KVCacheGeometry``) is in block
/// `blocks[s * blocksPerSlot + p]`.
public struct BlockTable: Sendable, Equatable {
    /// Stands for a block outside the window: never read, never written.
    public static let nullBlock: Int32 = -1

    public let blocksPerSlot: Int
    public var blocks: [Int32]

    public init(blocksPerSlot: Int, blocks: [Int32] = []) {
        self.blocksPerSlot = blocksPerSlot
        self.blocks = blocks
    }
}

extension BlockTable {
    /// The block of part `part` of slot `slot`; ``nullBlock`` when the slot lies outside the window.
    public func block(slot: Int, part: Int) -> Int32 {
        blocks[slot * blocksPerSlot + part]
    }

    /// Adds a slot whose blocks come from `pool`.
    mutating func appendSlot(from pool: inout BlockPool) {
        for _ in 0..<blocksPerSlot { blocks.append(pool.allocate()) }
    }

    /// Gives the blocks of `slots` back to `pool`; null blocks stand in their place.
    mutating func releaseSlots(_ slots: Range<Int>, to pool: inout BlockPool) {
        for index in slots.lowerBound * blocksPerSlot..<slots.upperBound * blocksPerSlot
        where blocks[index] != Self.nullBlock {
            pool.release(blocks[index])
            blocks[index] = Self.nullBlock
        }
    }
}
