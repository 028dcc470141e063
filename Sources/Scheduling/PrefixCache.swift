// Finds computed logical blocks by their content. It stores hashes and block numbers. The pool counts references to blocks, and the
// manager tracks which sequences use them.

/// An index of full, computed logical blocks by the hash of their prefix, kept separately for each group of layers.
///
/// A logical block has `blocksPerLogicalBlock` blocks, which are added and removed together. Its states are:
///
///     computed --keep--> in use <--use-- / --rest--> idle --evict--> gone
///
/// A logical block is in use while a sequence uses its blocks, and idle otherwise. The blocks of an idle logical block are cached:
/// neither allocated nor free.
///
/// Rules:
/// 1. *Content.* Only full logical blocks are indexed, once all their tokens are computed. The tokens may be prompt tokens or
///    sampled tokens. Logical blocks stay cached when their sequence ends, is aborted or is preempted, and when they leave its
///    window. If two logical blocks with the same content are computed at the same time, only the first is in the index. The copy
///    becomes free when it is released.
/// 2. *Hits.* A query at position q attends to all keys before it in global layers, and to those after q - window in sliding
///    layers. A hit of n logical blocks therefore needs the global logical blocks 0 ..< n, but only those sliding logical blocks
///    that a query at n * blockSize attends to. The hit remains possible after all earlier sliding logical blocks are evicted:
///
///         global   [####|####|####|####|####|####]
///         sliding  [    |    |    |    |####|####]     n = 6, window of up to 8 tokens in logical blocks of 4
///
///    The hit is the largest n that meets this condition.
/// 3. *Writes.* No sequence writes to a logical block in the index. A sequence computes the tokens after its hit, and always at
///    least its last token, whose logits it needs.
/// 4. *Eviction.* If the pool has no free block, the logical block that has been idle the longest is evicted. A sequence frees its
///    logical blocks from the last to the first, so its tail is evicted before its head, which other sequences may share.
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

    /// The blocks of each logical block, (`blocksPerLogicalBlock` of its group).
    private(set) var logicalBlocks: [Key: [Int32]] = [:]
    /// The key of each logical block, indexed by its first block.
    private(set) var keys: [Int32: Key] = [:]
    /// The first block of each idle logical block, in order of release.
    private var idle: RecencyQueue

    init(totalBlocks: Int) {
        idle = RecencyQueue(capacity: totalBlocks)
    }

    /// Returns the blocks of a logical block, or `nil` if it is not in the index.
    func blocks(_ key: Key) -> [Int32]? {
        logicalBlocks[key]
    }

    /// Returns whether the logical block that begins with `block` is in the index.
    func contains(firstBlock block: Int32) -> Bool {
        keys[block] != nil
    }

    /// Returns whether no sequence uses the logical block that begins with `block`.
    func isIdle(firstBlock block: Int32) -> Bool {
        idle.contains(block)
    }

    /// Adds a logical block in use to the index. If the index already has a logical block with this content, that one is marked as
    /// most recently used.
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

    /// Marks a logical block as idle because no sequence uses it anymore.
    mutating func rest(firstBlock block: Int32) {
        precondition(contains(firstBlock: block), "only a known logical block can be idle")
        idle.append(block)
    }

    /// Removes the logical block that has been idle the longest. Returns its blocks, or `nil` if no logical block is idle.
    mutating func evict() -> [Int32]? {
        guard let first = idle.popFirst(), let key = keys.removeValue(forKey: first) else { return nil }
        return logicalBlocks.removeValue(forKey: key)
    }

    /// Returns the maximum number of leading logical blocks that do not need to be computed (rule 2), and the reason if it is below
    /// the limit. O(`limit`).
    ///
    /// - Parameters:
    ///   - hashes: The hashes of the sequence's full logical blocks.
    ///   - limit: The maximum number of logical blocks that may be skipped.
    func hit(_ hashes: [PrefixHash], limit: Int, geometry: KVCacheGeometry) -> (
        logicalBlocks: Int, missReason: PrefixMissReason?
    ) {
        var longest = 0
        var slidingRun = 0  // consecutive cached sliding logical blocks up to this one
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

/// The reason why a prefix hit is shorter than possible.
public enum PrefixMissReason: String, Sendable {
    /// The next logical block was never computed with this cache salt, or it was evicted.
    case notCached = "the next logical block is not cached"
    /// More of the prompt is cached, but the window that the sliding layers need is not.
    case windowEvicted = "the window behind the next logical blocks has been evicted"
    /// The request does not use the prefix cache.
    case notTaken = "the request takes nothing from the cache"
}
