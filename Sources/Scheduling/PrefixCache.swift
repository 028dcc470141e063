// Which computed logical blocks can be found again by their content. Knows hashes and block numbers; who uses the blocks is
// the pool's, and which sequence they belong to the manager's.

/// The index of full, computed logical blocks by the hash of their prefix, for each group of layers separately.
///
/// A logical block of a group takes `blocksPerLogicalBlock` blocks, which come and go together. It is
///
///     computed --keep--> in use <--use-- / --rest--> idle --evict--> gone
///
/// in use while a sequence uses its blocks, and idle when none does: its blocks are then neither allocated nor free but
/// cached.
///
/// Rules:
/// 1. *What is cached.* Full logical blocks only, once all their tokens are computed: of prompts and of sampled tokens. They
///    stay when their sequence ends, is aborted or preempted, and when they leave its window. Of two logical blocks with
///    the same content, computed at the same time, only the first is known; the copy is free once released.
/// 2. *What a hit needs.* A query at position q sees all keys before it in global layers and those after q - window in
///    sliding ones. A hit of n logical blocks therefore needs the global logical blocks 0 ..< n and, of the sliding ones,
///    only those that a query at n * blockSize sees. It survives the loss of all sliding logical blocks before:
///
///         global   [####|####|####|####|####|####]
///         sliding  [    |    |    |    |####|####]     n = 6, window of up to 8 tokens in logical blocks of 4
///
///    The largest n for which that holds is the hit.
/// 3. *Who writes.* Nobody writes into a logical block that is here: a sequence computes from the end of its hit on, and at
///    least its last token, whose logits it needs.
/// 4. *Eviction* happens when the pool has no free block: the logical block that has been idle for longest goes first. A
///    sequence frees its logical blocks from the last to the first, so its tail is evicted before its head, which
///    others may share.
struct PrefixCache: Sendable {
    enum Group: Hashable, Sendable, CaseIterable {
        case global
        case sliding
    }

    /// What a logical block is found by.
    struct Key: Hashable, Sendable {
        var hash: PrefixHash
        var group: Group
    }

    /// The blocks of each logical block, (blocksPerLogicalBlock of its group).
    private(set) var logicalBlocks: [Key: [Int32]] = [:]
    /// The key of each logical block, by its first block.
    private(set) var keys: [Int32: Key] = [:]
    /// The first blocks of idle logical blocks, in the order in which they were released.
    private var idle: RecencyQueue

    init(totalBlocks: Int) {
        idle = RecencyQueue(capacity: totalBlocks)
    }

    /// The blocks that hold a logical block; `nil` when there are none.
    func blocks(_ key: Key) -> [Int32]? {
        logicalBlocks[key]
    }

    /// Whether the logical block that begins with `block` can be found here.
    func contains(firstBlock block: Int32) -> Bool {
        keys[block] != nil
    }

    /// Whether nobody uses the logical block that begins with `block`.
    func isIdle(firstBlock block: Int32) -> Bool {
        idle.contains(block)
    }

    /// Makes a logical block that is in use known. When its content is known already, that is as good as used just now.
    mutating func keep(_ key: Key, blocks: [Int32]) {
        guard let first = blocks.first else { return }
        if let known = logicalBlocks[key]?.first {
            guard idle.contains(known) else { return }
            idle.remove(known)
            idle.append(known)
        } else {
            logicalBlocks[key] = blocks
            keys[first] = key
        }
    }

    /// Takes an idle logical block into use.
    mutating func use(firstBlock block: Int32) {
        idle.remove(block)
    }

    /// Records that nobody uses the logical block any longer.
    mutating func rest(firstBlock block: Int32) {
        precondition(contains(firstBlock: block), "only a known logical block can be idle")
        idle.append(block)
    }

    /// Forgets the logical block that has been idle for longest; returns its blocks, `nil` when no logical block is idle.
    mutating func evict() -> [Int32]? {
        guard let first = idle.popFirst(), let key = keys.removeValue(forKey: first) else { return nil }
        return logicalBlocks.removeValue(forKey: key)
    }

    /// The most leading logical blocks that need not be computed (rule 2), and what ends them before the limit.
    /// O(`logicalBlocks`).
    ///
    /// - Parameters:
    ///   - hashes: of the sequence's full logical blocks.
    ///   - limit: the most logical blocks that may be left out.
    func hit(_ hashes: [PrefixHash], limit: Int, geometry: KVCacheGeometry) -> (
        logicalBlocks: Int, missReason: PrefixMissReason?
    ) {
        var longest = 0
        var slidingRun = 0  // known sliding logical blocks without a gap, up to the one at hand
        for (logicalBlock, hash) in hashes.prefix(limit).enumerated() {
            if geometry.globalBlocksPerLogicalBlock > 0, logicalBlocks[Key(hash: hash, group: .global)] == nil { break }
            let end = logicalBlock + 1
            if geometry.slidingBlocksPerLogicalBlock > 0 {
                slidingRun = logicalBlocks[Key(hash: hash, group: .sliding)] == nil ? 0 : slidingRun + 1
                let visible = end - geometry.firstSlidingLogicalBlock(forQueryAt: end * geometry.blockSize)
                if slidingRun < visible { continue }
            }
            longest = end
        }
        guard longest < min(limit, hashes.count) else { return (longest, nil) }
        let group = geometry.globalBlocksPerLogicalBlock > 0 ? Group.global : .sliding
        return (longest, logicalBlocks[Key(hash: hashes[longest], group: group)] == nil ? .notCached : .windowEvicted)
    }
}

/// Why not all of a prompt comes from the prefix cache.
public enum PrefixMissReason: String, Sendable {
    /// The next logical block was never computed, under this cache salt, or it has been evicted.
    case notCached = "the next logical block is not cached"
    /// More of the prompt is there, but no longer the window that the sliding layers see behind it.
    case windowEvicted = "the window behind the next logical blocks has been evicted"
    /// The request takes nothing from the cache.
    case notTaken = "the request takes nothing from the cache"
}
