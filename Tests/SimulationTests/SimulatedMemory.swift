import Scheduling

/// What a model would find in the blocks: for each place, which token of which sequence was written there last.
struct SimulatedMemory {
    private let geometry: KVCacheGeometry
    /// (totalBlocks, blockSize)
    private var entries: [UInt64]

    init(geometry: KVCacheGeometry) {
        self.geometry = geometry
        entries = Array(repeating: .max, count: geometry.totalBlocks * geometry.blockSize)
    }

    /// Computes a chunk: writes its tokens in both groups, then reads every key that one of its queries sees.
    /// Returns what is wrong, or `nil`.
    mutating func compute(
        _ scheduled: ScheduledSequence, run: Int, tables: (global: BlockTable, sliding: BlockTable)
    ) -> String? {
        let (id, queries) = (scheduled.id, scheduled.tokens)
        // A recompute writes the same tokens again, but may not read what an earlier run left behind.
        func content(_ position: Int) -> UInt64 {
            id.rawValue << 40 | UInt64(run) << 20 | UInt64(position)
        }
        // The first query sees the furthest back, the last one the furthest on; between them nothing is left out.
        let window = max(0, queries.lowerBound - geometry.slidingWindow + 1)
        for (table, firstKey) in [(tables.global, 0), (tables.sliding, window)] where table.blocksPerSlot > 0 {
            for position in queries {
                for part in 0..<table.blocksPerSlot {
                    guard let place = place(of: position, part: part, in: table) else {
                        return "\(id) has no block for its token \(position)"
                    }
                    entries[place] = content(position)
                }
            }
            for key in firstKey..<queries.upperBound {
                for part in 0..<table.blocksPerSlot {
                    guard let place = place(of: key, part: part, in: table),
                        entries[place] == content(key)
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
