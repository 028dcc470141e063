import Scheduling

/// What a model would find in the blocks: for each place, the content that was written there last.
///
/// The keys and values of a token depend on it and on all tokens before it; so a content is a number for the pair of the
/// content before and the token, and equal numbers mean equal prefixes.
struct SimulatedMemory {
    private struct Link: Hashable {
        var parent: Int
        var token: Int32
    }

    private let geometry: KVCacheGeometry
    /// (totalBlocks, blockSize)
    private var entries: [Int]
    private var contents: [Link: Int] = [:]

    init(geometry: KVCacheGeometry) {
        self.geometry = geometry
        entries = Array(repeating: -1, count: geometry.totalBlocks * geometry.blockSize)
    }

    /// The content of `token` after `parent`; prefixes that do not share their first parent, a negative number below -1,
    /// share no content.
    mutating func content(of token: Int32, after parent: Int) -> Int {
        let link = Link(parent: parent, token: token)
        if let content = contents[link] { return content }
        contents[link] = contents.count
        return contents.count - 1
    }

    /// Computes a chunk: writes its tokens in both groups, then reads every key that one of its queries sees.
    /// Returns what is wrong, or `nil`.
    ///
    /// - Parameter contents: of the sequence's tokens, as far as the chunk reaches.
    mutating func compute(
        _ scheduled: ScheduledSequence, contents: [Int], tables: (global: BlockTable, sliding: BlockTable)
    ) -> String? {
        let (id, queries) = (scheduled.id, scheduled.tokens)
        // The first query sees the furthest back, the last one the furthest on; between them nothing is left out.
        let window = max(0, queries.lowerBound - geometry.slidingWindow + 1)
        for (table, firstKey) in [(tables.global, 0), (tables.sliding, window)] where table.blocksPerSlot > 0 {
            for position in queries {
                for part in 0..<table.blocksPerSlot {
                    guard let place = place(of: position, part: part, in: table) else {
                        return "\(id) has no block for its token \(position)"
                    }
                    entries[place] = contents[position]
                }
            }
            for key in firstKey..<queries.upperBound {
                for part in 0..<table.blocksPerSlot {
                    guard let place = place(of: key, part: part, in: table),
                        entries[place] == contents[key]
                    else { return "\(id) does not find its key \(key) for queries \(queries)" }
                }
            }
        }
        return nil
    }

    private func place(of position: Int, part: Int, in table: BlockTable) -> Int? {
        let slot = position / geometry.blockSize
        guard slot * table.blocksPerSlot < table.blocks.count else { return nil }
        let block = table.block(slot: slot, part: part)
        guard block != BlockTable.nullBlock else { return nil }
        return Int(block) * geometry.blockSize + position % geometry.blockSize
    }
}
