// Tracks which blocks of the KV cache are free, allocated or cached, and how many sequences use each. Independent of sequences
// and groups.

import DequeModule

/// A fixed pool of equal blocks, numbered from 0, each either free, allocated or cached.
///
///     free --allocate--> 1 reference --retain--> n references --release, n times--> free
///                           ^                                     | keepsContent
///                           +--------------retain------------- cached --evict--> free
///
/// A cached block has no references, but its content may be reused.
///
/// The free list is a queue: a freed block is appended at the tail and allocation takes the head, so the block that was freed
/// last is overwritten last. Every operation takes O(1).
public struct BlockPool: Sendable {
    /// Blocks of the pool: free, allocated and cached.
    public let totalBlocks: Int
    private var freeList: Deque<Int32>
    /// References to each block, (totalBlocks); 0 while it is in the free list, `cached` while its content is kept.
    private var referenceCounts: [Int32]
    /// Blocks without a reference whose content is kept.
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

    /// How many references `block` has; 0 when it is free or cached.
    public func referenceCount(of block: Int32) -> Int {
        max(0, Int(referenceCounts[Int(block)]))
    }

    /// Whether the block has no references and its content is kept.
    public func isCached(_ block: Int32) -> Bool {
        referenceCounts[Int(block)] == Self.cached
    }

    /// Allocates the block that has been free for longest, with one reference.
    ///
    /// - Precondition: there is a free block.
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

    /// Removes a reference; after the last one the block is free, or cached if its content is to be kept.
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
    /// The first violated invariant, as text; `nil` if there is none. O(totalBlocks).
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
