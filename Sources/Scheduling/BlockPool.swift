// Which blocks of the KV cache are free and how often the others are held. Knows no sequence and no group.

import DequeModule

/// A fixed pool of equal blocks, numbered from 0, each either free or held.
///
///     free --allocate--> held once --retain--> held n times --release, n times--> free
///
/// The free list is a queue: a freed block returns at the tail and allocation takes from the head, so what was freed last
/// is overwritten last. Every operation takes O(1).
public struct BlockPool: Sendable {
    /// Blocks of the pool, free and held.
    public let totalBlocks: Int
    private var freeList: Deque<Int32>
    /// Holders of each block, (totalBlocks); 0 while it is in the free list.
    private var referenceCounts: [Int32]

    /// Creates a pool whose blocks are all free.
    public init(totalBlocks: Int) {
        precondition((0...Int(Int32.max)).contains(totalBlocks), "block numbers are of 31 bits")
        self.totalBlocks = totalBlocks
        freeList = Deque(0..<Int32(totalBlocks))
        referenceCounts = Array(repeating: 0, count: totalBlocks)
    }

    public var freeBlocks: Int { freeList.count }

    public var heldBlocks: Int { totalBlocks - freeBlocks }

    /// How many holders `block` has; 0 when it is free.
    public func referenceCount(of block: Int32) -> Int {
        Int(referenceCounts[Int(block)])
    }

    /// Whether `count` blocks are free.
    public func canAllocate(_ count: Int) -> Bool {
        count <= freeBlocks
    }

    /// Takes the block that has been free for longest, for one holder.
    ///
    /// - Precondition: `canAllocate(1)`.
    public mutating func allocate() -> Int32 {
        guard let block = freeList.popFirst() else { preconditionFailure("allocated from a pool without free blocks") }
        referenceCounts[Int(block)] = 1
        return block
    }

    /// Adds a holder to a held block.
    public mutating func retain(_ block: Int32) {
        precondition(referenceCounts[Int(block)] > 0, "retained a free block")
        referenceCounts[Int(block)] += 1
    }

    /// Takes a holder away; the block is free when that was the last one.
    public mutating func release(_ block: Int32) {
        precondition(referenceCounts[Int(block)] > 0, "released a free block")
        referenceCounts[Int(block)] -= 1
        if referenceCounts[Int(block)] == 0 { freeList.append(block) }
    }
}

extension BlockPool {
    /// The first invariant that does not hold, in words; `nil` when all hold. O(totalBlocks).
    public func violatedInvariant() -> String? {
        var isFree = Array(repeating: false, count: totalBlocks)
        for block in freeList {
            if isFree[Int(block)] { return "block \(block) is in the free list twice" }
            isFree[Int(block)] = true
        }
        for block in 0..<totalBlocks where isFree[block] != (referenceCounts[block] == 0) {
            return
                "block \(block) is held \(referenceCounts[block]) times and \(isFree[block] ? "" : "not ")in the free list"
        }
        return nil
    }

    /// Stops the process when a block is neither free nor held, or both.
    public func checkInvariants() {
        let violation = violatedInvariant()
        precondition(violation == nil, violation ?? "")
    }
}
