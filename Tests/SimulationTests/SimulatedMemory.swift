import Scheduling

/// The content of the blocks: for each position, the content that was written last.
///
/// The keys and values of a token depend on it and on all tokens before it. So a content is a hash of the previous content and
/// the token, and equal hashes mean equal prefixes.
struct SimulatedMemory {
    private let geometry: KVCacheGeometry
    /// (totalBlocks, blockSize)
    private var entries: [UInt64]

    init(geometry: KVCacheGeometry) {
        self.geometry = geometry
        entries = Array(repeating: 0, count: geometry.totalBlocks * geometry.blockSize)
    }

    /// The content before the first token. Contents with different tags are always different; apart from the tag they are the
    /// same.
    static func root(tag: UInt64) -> UInt64 { tag << 48 }

    /// The content of `token` after `parent`: the parent's tag, and 48 bits of a hash (the finalizer of SplitMix64).
    static func content(of token: Int32, after parent: UInt64) -> UInt64 {
        var hash = (withoutTag(parent) ^ UInt64(UInt32(bitPattern: token))) &+ 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return (parent >> 48) << 48 | (hash ^ (hash >> 31)) >> 16
    }

    static func withoutTag(_ content: UInt64) -> UInt64 { content & 0xFFFF_FFFF_FFFF }

    /// Computes a chunk: reads the content before each of its tokens and writes the token's content in both groups, then reads
    /// every key that one of the queries attends to. Returns an error, or `nil`.
    ///
    /// - Parameters:
    ///   - tokens: all tokens of the sequence.
    ///   - contents: the expected contents after `root`, up to the end of the chunk.
    mutating func compute(
        _ scheduled: ScheduledSequence, tokens: [Int32], contents: [UInt64], root: UInt64,
        tables: (global: BlockTable, sliding: BlockTable)
    ) -> String? {
        let (id, queries) = (scheduled.id, scheduled.tokens)
        // The first query attends to the earliest key, the last one to the latest; all keys between are covered.
        let window = max(0, queries.lowerBound - geometry.slidingWindow + 1)
        for (table, firstKey) in [(tables.global, 0), (tables.sliding, window)] where table.blocksPerLogicalBlock > 0 {
            for part in 0..<table.blocksPerLogicalBlock {
                for position in queries {
                    guard let place = place(of: position, part: part, in: table) else {
                        return "\(id) has no block for its token \(position)"
                    }
                    // With a window of 1 a query attends to no other key.
                    let before = position > firstKey ? self.place(of: position - 1, part: part, in: table) : nil
                    let parent = before.map { entries[$0] } ?? (position == 0 ? root : contents[position - 1])
                    entries[place] = Self.content(of: tokens[position], after: parent)
                }
                for key in firstKey..<queries.upperBound {
                    guard let place = place(of: key, part: part, in: table), entries[place] == contents[key] else {
                        return "\(id) does not find its key \(key) for queries \(queries)"
                    }
                }
            }
        }
        return nil
    }

    /// The contents of the last token of a chunk that was computed and of the drafts behind it.
    func lastContents(
        _ scheduled: ScheduledSequence, tables: (global: BlockTable, sliding: BlockTable)
    ) -> [UInt64] {
        let table = tables.global.blocksPerLogicalBlock > 0 ? tables.global : tables.sliding
        return scheduled.tokens.suffix(scheduled.drafts + 1).compactMap {
            place(of: $0, part: 0, in: table).map { entries[$0] }
        }
    }

    private func place(of position: Int, part: Int, in table: BlockTable) -> Int? {
        let logicalBlock = position / geometry.blockSize
        guard logicalBlock * table.blocksPerLogicalBlock < table.blocks.count else { return nil }
        let block = table.block(logicalBlock: logicalBlock, part: part)
        guard block != BlockTable.nullBlock else { return nil }
        return Int(block) * geometry.blockSize + position % geometry.blockSize
    }
}
