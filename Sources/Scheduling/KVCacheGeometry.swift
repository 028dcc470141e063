/// The numbers of the paged KV cache: one pool of equal blocks, two groups of layers that draw from it.
///
/// A *slot* is the space of `blockSize` consecutive tokens of a sequence in one group. The layers of both groups are cut
/// into parts of equal size (the greatest common divisor of the two counts), and a block holds the keys and values of one
/// such part for `blockSize` tokens; so a slot of a group takes as many blocks as the group has parts, and any block
/// serves either group. Trinity Nano (14 global, 42 sliding layers): blocks of 14 layers, 1 a global slot, 3 a sliding slot.
public struct KVCacheGeometry: Sendable, Equatable {
    /// Tokens a slot.
    public var blockSize: Int
    /// Blocks a slot of the global group; 0 when the model has no global layers.
    public var globalBlocksPerSlot: Int
    /// Blocks a slot of the sliding group; 0 when the model has no sliding layers.
    public var slidingBlocksPerSlot: Int
    /// Keys that a sliding layer sees, the query's own included.
    public var slidingWindow: Int
    /// Blocks of the pool, numbered from 0.
    public var totalBlocks: Int

    public init(
        blockSize: Int, globalBlocksPerSlot: Int, slidingBlocksPerSlot: Int, slidingWindow: Int, totalBlocks: Int
    ) {
        self.blockSize = blockSize
        self.globalBlocksPerSlot = globalBlocksPerSlot
        self.slidingBlocksPerSlot = slidingBlocksPerSlot
        self.slidingWindow = slidingWindow
        self.totalBlocks = totalBlocks
    }
}
