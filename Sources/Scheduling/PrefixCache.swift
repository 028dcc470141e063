// Finds computed logical blocks by their content. It has hashes and block numbers; references to blocks are tracked by the
// pool, and their sequences by the manager.

/// The index of full, computed logical blocks by the hash of their prefix, for each group of layers separately.
///
/// A logical block of a group has `blocksPerLogicalBlock` blocks, which are added and removed together. Its states:
///
///     computed --keep--> in use <--use-- / --rest--> idle --evict--> gone
///
/// It is in use while a sequence uses its blocks, and idle otherwise: its blocks are then neither allocated nor free but
/// cached.
///
/// Rules:
/// 1. *Content.* Only full logical blocks, once all their tokens are computed: prompt tokens and sampled tokens. They stay
///    cached when their sequence ends, is aborted or preempted, and when they leave its window. Of two logical blocks with the
///    same content that are computed at the same time, only the first is in the index; the copy becomes free when it is
///    released.
/// 2. *Hits.* A query at position q attends to all keys before it in global layers and to those after q - window in sliding
///    ones. A hit of n logical blocks therefore needs the global logical blocks 0 ..< n and, of the sliding ones, only those
///    that a query at n * blockSize attends to. It remains possible after the eviction of all earlier sliding logical blocks:
///
///         global   [####|####|####|####|####|####]
///         sliding  [    |    |    |    |####|####]     n = 6, window of up to 8 tokens in logical blocks of 4
///
///    The hit is the largest n for which that holds.
/// 3. *Writes.* No sequence writes to a logical block in the index: a sequence computes from the end of its hit on, and at
///    least its last token, whose logits it needs.
/// 4. *Eviction* happens if the pool has no free block: the logical block that has been idle for longest is evicted first. A
///    sequence frees its logical blocks from the last to the first, so its tail is evicted before its head, which others may
///    share.
struct PrefixCache: Sendable {
    enum Group: Hashable, Sendable, CaseIterable {
        case global
        case sliding
    }

    /// The key of a logical block.
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

    /// The blocks of a logical block; `nil` if it is not in the index.
    func blocks(_ key: Key) -> [Int32]? {
        logicalBlocks[key]
    }

    /// Whether the logical block that begins with `block` is in the index.
    func contains(firstBlock block: Int32) -> Bool {
        keys[block] != nil
    }

    /// Whether no sequence uses the logical block that begins with `block`.
    func isIdle(firstBlock block: Int32) -> Bool {
        idle.contains(block)
    }

    /// Adds a logical block in use to the index. If its content is in the index already, that counts as a use.
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

    /// Marks an idle logical block as used.
    mutating func use(firstBlock block: Int32) {
        idle.remove(block)
    }

    /// Records that no sequence uses the logical block any longer.
    mutating func rest(firstBlock block: Int32) {
        precondition(contains(firstBlock: block), "only a known logical block can be idle")
        idle.append(block)
    }

    /// Removes the logical block that has been idle for longest; returns its blocks, or `nil` if no logical block is idle.
    mutating func evict() -> [Int32]? {
        guard let first = idle.popFirst(), let key = keys.removeValue(forKey: first) else { return nil }
        return logicalBlocks.removeValue(forKey: key)
    }

    /// The maximum number of leading logical blocks that need not be computed (rule 2), and the reason if it is below the
    /// limit. O(`logicalBlocks`).
    ///
    /// - Parameters:
    ///   - hashes: of the sequence's full logical blocks.
    ///   - limit: the maximum number of logical blocks that may be skipped.
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
    /// The next logical block was never computed with this cache salt, or it has been evicted.
    case notCached = "the next logical block is not cached"
    /// More of the prompt is cached, but not the window that the sliding layers need after it.
    case windowEvicted = "the window behind the next logical blocks has been evicted"
    /// The request does not use the cache.
    case notTaken = "the request takes nothing from the cache"
}
