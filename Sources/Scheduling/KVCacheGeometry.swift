/// The dimensions of the paged KV cache: one pool of equal blocks, from which two groups of layers allocate.
///
/// A *logical block* is the space of `blockSize` consecutive tokens of a sequence in one group. The layers of both groups are
/// divided into parts of equal size (the greatest common divisor of the two counts), and a block holds the keys and values of
/// one such part for `blockSize` tokens. So a logical block of a group takes as many blocks as the group has parts, and any
/// block can be used for either group. Trinity Nano (14 global, 42 sliding layers): blocks of 14 layers, 1 per global logical
/// block, 3 per sliding logical block.
public struct KVCacheGeometry: Sendable, Equatable {
    /// Tokens per logical block.
    public var blockSize: Int
    /// Blocks per logical block of the global group; 0 if the model has no global layers.
    public var globalBlocksPerLogicalBlock: Int
    /// Blocks per logical block of the sliding group; 0 if the model has no sliding layers.
    public var slidingBlocksPerLogicalBlock: Int
    /// The number of keys that a query in a sliding layer attends to, including its own.
    public var slidingWindow: Int
    /// Blocks of the pool, numbered from 0.
    public var totalBlocks: Int

    public init(
        blockSize: Int, globalBlocksPerLogicalBlock: Int, slidingBlocksPerLogicalBlock: Int, slidingWindow: Int,
        totalBlocks: Int
    ) {
        self.blockSize = blockSize
        self.globalBlocksPerLogicalBlock = globalBlocksPerLogicalBlock
        self.slidingBlocksPerLogicalBlock = slidingBlocksPerLogicalBlock
        self.slidingWindow = slidingWindow
        self.totalBlocks = totalBlocks
    }
}

extension KVCacheGeometry {
    /// Blocks of one more logical block in both groups together.
    public var blocksPerLogicalBlock: Int { globalBlocksPerLogicalBlock + slidingBlocksPerLogicalBlock }

    /// Logical blocks of `tokens` tokens in a group that keeps all of them.
    public func logicalBlocks(tokens: Int) -> Int {
        (tokens + blockSize - 1) / blockSize
    }

    /// The first logical block of the sliding group that a query at `position` attends to; all logical blocks before it are
    /// completely outside its window, and outside that of every later query.
    ///
    ///     keys of query p:  max(0, p - slidingWindow + 1) ... p
    public func firstSlidingLogicalBlock(forQueryAt position: Int) -> Int {
        max(0, position - slidingWindow + 1) / blockSize
    }

    /// The maximum number of blocks that a sequence of `tokens` tokens uses if no step computes more than `chunk` of them.
    ///
    /// A step that computes `start ..< end` uses the global logical blocks of `0 ..< end`, and the sliding logical blocks from
    /// the first one that its first query attends to:
    ///
    ///                  |<- slidingWindow - 1 ->|<- chunk ->|
    ///     global   [####|####|####|####|####|####|####|####]
    ///     sliding  [    |    |####|####|####|####|####|####]
    ///                                          start      end
    ///
    /// The peak is where the last logical block has just been allocated: `end` is then as small as possible for that logical
    /// block, and its window begins as early as possible.
    public func peakBlocks(tokens: Int, chunk: Int) -> Int {
        let logicalBlocks = logicalBlocks(tokens: tokens)
        let end = (logicalBlocks - 1) * blockSize + 1
        let start = max(0, end - chunk)
        let slidingLogicalBlocks = logicalBlocks - firstSlidingLogicalBlock(forQueryAt: start)
        return logicalBlocks * globalBlocksPerLogicalBlock + slidingLogicalBlocks * slidingBlocksPerLogicalBlock
    }
}
