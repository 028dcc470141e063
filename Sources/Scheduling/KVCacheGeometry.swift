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

extension KVCacheGeometry {
    /// Blocks that one more slot takes in both groups together.
    public var blocksPerSlot: Int { globalBlocksPerSlot + slidingBlocksPerSlot }

    /// Slots that `tokens` tokens take in a group that keeps all of them.
    public func slots(tokens: Int) -> Int {
        (tokens + blockSize - 1) / blockSize
    }

    /// The first slot of the sliding group that a query at `position` sees; all slots before it lie wholly outside its
    /// window, and outside that of every later query.
    ///
    ///     keys of query p:  max(0, p - slidingWindow + 1) ... p
    public func firstSlidingSlot(forQueryAt position: Int) -> Int {
        max(0, position - slidingWindow + 1) / blockSize
    }

    /// The most blocks that a sequence of `tokens` tokens ever uses when no step computes more than `chunk` of them.
    ///
    /// A step that computes `start ..< end` uses the global slots of `0 ..< end`, and the sliding slots from the first
    /// one that its first query sees:
    ///
    ///                  |<- slidingWindow - 1 ->|<- chunk ->|
    ///     global   [####|####|####|####|####|####|####|####]
    ///     sliding  [    |    |####|####|####|####|####|####]
    ///                                          start      end
    ///
    /// The peak is where the last slot has just been opened: `end` is then as small as that slot allows, and its window
    /// begins as early as it can.
    public func peakBlocks(tokens: Int, chunk: Int) -> Int {
        let slots = slots(tokens: tokens)
        let end = (slots - 1) * blockSize + 1
        let start = max(0, end - chunk)
        let slidingSlots = slots - firstSlidingSlot(forQueryAt: start)
        return slots * globalBlocksPerSlot + slidingSlots * slidingBlocksPerSlot
    }
}
