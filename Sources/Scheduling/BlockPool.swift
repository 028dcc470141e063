// Tracks which blocks of the KV cache are free, allocated or cached, and the reference count of each. It does not know about
// sequences or groups of layers.

import DequeModule

/// A fixed-size pool of equal blocks, numbered from 0. Each block is free, allocated or cached.
///
///     free --allocate--> 1 reference --retain--> n references --release, n times--> free
///                           ^                                     | keepsContent
///                           +--------------retain------------- cached --evict--> free
///
/// A cached block has no references, but its content can be reused.
///
/// The free list is a FIFO queue: a freed block is appended at the tail, and allocation takes the head. The block that was freed
/// last is therefore overwritten last. Every operation is O(1).
public struct BlockPool: Sendable {
    /// The number of blocks in the pool: free, allocated and cached.
    public let totalBlocks: Int
    private var freeList: Deque<Int32>
    /// The reference count of each block, (totalBlocks): 0 while it is in the free list, `cached` while its content is kept.
    private var referenceCounts: [Int32]
    /// The number of blocks without references whose content is kept.
    public private(set) var cachedBlocks = 0

    private static let cached: Int32 = -1

    /// Creates a pool whose blocks are all free.
    public init(totalBlocks: Int) {
        precondition((0...Int(Int32.max)).contains(totalBlocks), "block numbers are of 31 bits")
        self.totalBlocks = totalBlocks
        freeList = Deque(0..<Int32(totalBlocks))
        referenceCounts = Array(repeating: 0, count: totalBlocks)
    }

    public var freeBlocks: Int { freeList.count }

    public var allocatedBlocks: Int { totalBlocks - freeBlocks - cachedBlocks }

    /// Returns the reference count of `block`, which is 0 if the block is free or cached.
    public func referenceCount(of block: Int32) -> Int {
        max(0, Int(referenceCounts[Int(block)]))
    }

    /// Returns whether the block has no references and its content is kept.
    public func isCached(_ block: Int32) -> Bool {
        referenceCounts[Int(block)] == Self.cached
    }

    /// Allocates the block that has been free the longest, with one reference.
    ///
    /// - Precondition: There is a free block.
    public mutating func allocate() -> Int32 {
        guard let block = freeList.popFirst() else { preconditionFailure("allocated from a pool without free blocks") }
        referenceCounts[Int(block)] = 1
        return block
    }

    /// Adds a reference to an allocated or cached block.
    public mutating func retain(_ block: Int32) {
        precondition(referenceCounts[Int(block)] != 0, "retained a free block")
        if isCached(block) {
            cachedBlocks -= 1
            referenceCounts[Int(block)] = 0
        }
        referenceCounts[Int(block)] += 1
    }

    /// Removes a reference. After the last one, the block is free, or cached if `keepsContent` is true.
    public mutating func release(_ block: Int32, keepsContent: Bool = false) {
        precondition(referenceCounts[Int(block)] > 0, "released a block without a reference")
        referenceCounts[Int(block)] -= 1
        guard referenceCounts[Int(block)] == 0 else { return }
        if keepsContent {
            referenceCounts[Int(block)] = Self.cached
            cachedBlocks += 1
        } else {
            freeList.append(block)
        }
    }

    /// Frees a cached block.
    public mutating func evict(_ block: Int32) {
        precondition(isCached(block), "evicted a block that is not cached")
        referenceCounts[Int(block)] = 0
        cachedBlocks -= 1
        freeList.append(block)
    }
}

extension BlockPool {
    /// Returns a description of the first violated invariant, or `nil` if there is none. O(totalBlocks).
    public func violatedInvariant() -> String? {
        var isFree = Array(repeating: false, count: totalBlocks)
        for block in freeList {
            if isFree[Int(block)] { return "block \(block) is in the free list twice" }
            isFree[Int(block)] = true
        }
        for block in 0..<totalBlocks where isFree[block] != (referenceCounts[block] == 0) {
            return
                "block \(block) has \(referenceCounts[block]) references and is \(isFree[block] ? "" : "not ")in the free list"
        }
        let cached = referenceCounts.count { $0 == Self.cached }
        return cached == cachedBlocks ? nil : "\(cachedBlocks) blocks are counted as cached, \(cached) are"
    }
}
