/// The dimensions of the paged KV cache: one pool of equal blocks that two groups of layers share.
///
/// A *logical block* is the space for `blockSize` consecutive tokens of a sequence in one group. The layers of both groups are
/// divided into parts of equal size (the greatest common divisor of the two layer counts). A block holds the keys and values of one
/// part for `blockSize` tokens. A logical block therefore takes as many blocks as its group has parts, and any block can be used
/// for either group. Trinity Nano (14 global and 42 sliding layers) has blocks of 14 layers: 1 per global logical block and 3 per
/// sliding logical block.
public struct KVCacheGeometry: Sendable, Equatable {
    /// The number of tokens per logical block.
    public var blockSize: Int
    /// The number of blocks per logical block of the global group, or 0 if the model has no global layers.
    public var globalBlocksPerLogicalBlock: Int
    /// The number of blocks per logical block of the sliding group, or 0 if the model has no sliding layers.
    public var slidingBlocksPerLogicalBlock: Int
    /// The number of keys that a query in a sliding layer attends to, including its own key.
    public var slidingWindow: Int
    /// The number of blocks in the pool. They are numbered from 0.
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
    /// The number of blocks that one logical block takes in both groups together.
    public var blocksPerLogicalBlock: Int { globalBlocksPerLogicalBlock + slidingBlocksPerLogicalBlock }

    /// Returns the number of logical blocks of `tokens` tokens in a group that keeps all of them.
    public func logicalBlocks(tokens: Int) -> Int {
        (tokens + blockSize - 1) / blockSize
    }

    /// Returns the first logical block of the sliding group that a query at `position` attends to. All logical blocks before it are
    /// completely outside the window of this query and of every later one.
    ///
    ///     keys of query p:  max(0, p - slidingWindow + 1) ... p
    public func firstSlidingLogicalBlock(forQueryAt position: Int) -> Int {
        max(0, position - slidingWindow + 1) / blockSize
    }

    /// Returns the maximum number of blocks that a sequence of `tokens` tokens uses if no step computes more than `chunk` of them.
    ///
    /// A step that computes `start ..< end` uses the global logical blocks of `0 ..< end`, and the sliding logical blocks starting
    /// with the first one that its first query attends to:
    ///
    ///                  |<- slidingWindow - 1 ->|<- chunk ->|
    ///     global   [####|####|####|####|####|####|####|####]
    ///     sliding  [    |    |####|####|####|####|####|####]
    ///                                          start      end
    ///
    /// The peak occurs when the last logical block has just been allocated: `end` is then as small as possible for that logical
    /// block, and its window begins as early as possible.
    public func peakBlocks(tokens: Int, chunk: Int) -> Int {
        let logicalBlocks = logicalBlocks(tokens: tokens)
        let end = (logicalBlocks - 1) * blockSize + 1
        let start = max(0, end - chunk)
        let slidingLogicalBlocks = logicalBlocks - firstSlidingLogicalBlock(forQueryAt: start)
        return logicalBlocks * globalBlocksPerLogicalBlock + slidingLogicalBlocks * slidingBlocksPerLogicalBlock
    }
}
