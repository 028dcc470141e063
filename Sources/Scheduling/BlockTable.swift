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
