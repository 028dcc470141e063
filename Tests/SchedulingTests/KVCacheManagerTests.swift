import Testing

@testable import Scheduling

@Suite struct KVCacheManagerTests {
    private let id = SequenceID(7)

    private func makeCache(window: Int = 8, totalBlocks: Int = 40) -> KVCacheManager {
        KVCacheManager(
            geometry: KVCacheGeometry(
                blockSize: 4, globalBlocksPerLogicalBlock: 1, slidingBlocksPerLogicalBlock: 3, slidingWindow: window,
                totalBlocks: totalBlocks))
    }

    @Test func `both groups grow by whole logical blocks`() {
        var cache = makeCache()
        cache.allocate(id, upTo: 5)
        #expect(cache.blockTables(id).global == BlockTable(blocksPerLogicalBlock: 1, blocks: [0, 4]))
        #expect(cache.blockTables(id).sliding == BlockTable(blocksPerLogicalBlock: 3, blocks: [1, 2, 3, 5, 6, 7]))
        #expect(cache.blockTables(id).sliding.block(logicalBlock: 1, part: 2) == 7)
        cache.allocate(id, upTo: 8)
        #expect(cache.globalBlocks == 2 && cache.slidingBlocks == 6 && cache.freeBlocks == 32)
    }

    @Test func `the allocatable length is limited by the free blocks of both groups`() {
        var cache = makeCache(totalBlocks: 11)
        #expect(cache.allocatableTokens(id) == 8)
        #expect(cache.canAllocate(id, upTo: 8) && !cache.canAllocate(id, upTo: 9))
        cache.allocate(id, upTo: 3)
        #expect(cache.allocatableTokens(id) == 8)
        #expect(cache.allocatableTokens(SequenceID(8)) == 4)
    }

    @Test func `a released sequence leaves nothing behind`() {
        var cache = makeCache()
        cache.allocate(id, upTo: 30)
        cache.freeOutsideWindow(id, nextQuery: 29)
        cache.release(id)
        cache.release(id)
        #expect(cache.freeBlocks == 40 && cache.globalBlocks == 0 && cache.slidingBlocks == 0)
        #expect(cache.blockTables(id).global.blocks.isEmpty && cache.blockTables(id).sliding.blocks.isEmpty)
        #expect(cache.violatedInvariant() == nil)
    }

    @Test func `a long sequence costs global blocks only`() {
        var cache = makeCache(window: 8, totalBlocks: 30)
        // 21 global blocks; the query at 80 attends to 73...80: three sliding logical blocks of three blocks.
        for position in 0...80 {
            cache.freeOutsideWindow(id, nextQuery: position)
            cache.allocate(id, upTo: position + 1)
        }
        #expect(cache.globalBlocks == 21 && cache.slidingBlocks == 9 && cache.freeBlocks == 0)
    }

    @Test func `a model without sliding layers, or without global ones, has one table`() {
        for (globalBlocks, slidingBlocks) in [(2, 0), (0, 2)] {
            var cache = KVCacheManager(
                geometry: KVCacheGeometry(
                    blockSize: 4, globalBlocksPerLogicalBlock: globalBlocks,
                    slidingBlocksPerLogicalBlock: slidingBlocks,
                    slidingWindow: 4, totalBlocks: 20))
            cache.allocate(id, upTo: 12)
            cache.freeOutsideWindow(id, nextQuery: 12)
            #expect(cache.blockTables(id).global.blocks.count == 3 * globalBlocks)
            #expect(cache.blockTables(id).sliding.blocks.count == 3 * slidingBlocks)
            #expect(cache.slidingBlocks == slidingBlocks)
            #expect(cache.violatedInvariant() == nil)
        }
    }

    @Test(arguments: 1...20)
    func `every key that a query attends to has a block, and no logical block outside all windows has one`(window: Int)
    {
        let length = 44
        for chunk in 1...24 {
            var cache = makeCache(window: window, totalBlocks: 100)
            for start in stride(from: 0, to: length, by: chunk) {
                let queries = start..<min(length, start + chunk)
                cache.freeOutsideWindow(id, nextQuery: start)
                cache.allocate(id, upTo: queries.upperBound)
                let (global, sliding) = cache.blockTables(id)

                var isSeen = Array(repeating: false, count: global.blocks.count)
                for query in queries {
                    for key in 0...query where key > query - window { isSeen[key / 4] = true }
                }
                let isAllocated = isSeen.indices.map { logicalBlock in
                    (0..<3).map { sliding.block(logicalBlock: logicalBlock, part: $0) != BlockTable.nullBlock }
                }
                #expect(isAllocated == isSeen.map { [$0, $0, $0] }, "chunk \(chunk), queries \(queries)")
                #expect(global.blocks.count == (queries.upperBound + 3) / 4)
                #expect(!global.blocks.contains(BlockTable.nullBlock))
                #expect(cache.freeBlocks >= 100 - cache.geometry.peakBlocks(tokens: length, chunk: chunk))
            }
            #expect(cache.violatedInvariant() == nil)
        }
    }
}
