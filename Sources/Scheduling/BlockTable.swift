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

    /// The blocks of slot `slot`, (blocksPerSlot).
    func slotBlocks(_ slot: Int) -> [Int32] {
        Array(blocks[slot * blocksPerSlot..<(slot + 1) * blocksPerSlot])
    }

    /// Puts null blocks in the place of a slot; returns its blocks.
    mutating func removeSlot(_ slot: Int) -> [Int32] {
        defer { clear(slot) }
        return slotBlocks(slot)
    }

    /// Puts null blocks in the place of a slot.
    mutating func clear(_ slot: Int) {
        for part in 0..<blocksPerSlot { blocks[slot * blocksPerSlot + part] = Self.nullBlock }
    }
}
