import Scheduling
import Testing

@Suite struct KVCacheGeometryTests {
    @Test func `a global logical block takes one block and a sliding logical block three, as in Trinity Nano`() {
        let geometry = KVCacheGeometry(
            blockSize: 16, globalBlocksPerLogicalBlock: 1, slidingBlocksPerLogicalBlock: 3, slidingWindow: 2048,
            totalBlocks: 0)
        // 8192 tokens are 512 logical blocks. The query at 8176 attends to keys from 6129 on, which are in logical blocks 383
        // to 511.
        #expect(geometry.peakBlocks(tokens: 8192, chunk: 1) == 512 + 3 * 129)
        #expect(geometry.peakBlocks(tokens: 16, chunk: 16) == 4)
        #expect(geometry.peakBlocks(tokens: 17, chunk: 16) == 8)
        #expect(geometry.peakBlocks(tokens: 0, chunk: 16) == 0)
    }

    @Test(arguments: [(1, 3), (1, 0), (0, 2)] as [(Int, Int)])
    func `the peak is the maximum of all steps for all chunk sizes`(globalBlocks: Int, slidingBlocks: Int) {
        for blockSize in 1...4 {
            for window in 1...7 {
                let geometry = KVCacheGeometry(
                    blockSize: blockSize, globalBlocksPerLogicalBlock: globalBlocks,
                    slidingBlocksPerLogicalBlock: slidingBlocks,
                    slidingWindow: window, totalBlocks: 0)
                for chunk in 1...6 {
                    // The peak of a longer sequence is at least that of a shorter one: the maximum grows with `tokens`.
                    var most = 0
                    for tokens in 1...18 {
                        for start in max(0, tokens - chunk)..<tokens {
                            most = max(most, naiveBlocks(start..<tokens, geometry))
                        }
                        #expect(geometry.peakBlocks(tokens: tokens, chunk: chunk) == most)
                    }
                }
            }
        }
    }

    /// The blocks that a step over `queries` needs, determined key by key.
    private func naiveBlocks(_ queries: Range<Int>, _ geometry: KVCacheGeometry) -> Int {
        let logicalBlocks = Set((0..<queries.upperBound).map { $0 / geometry.blockSize })
        let visible = (0..<queries.upperBound).filter { $0 > queries.lowerBound - geometry.slidingWindow }
        let slidingLogicalBlocks = Set(visible.map { $0 / geometry.blockSize })
        return logicalBlocks.count * geometry.globalBlocksPerLogicalBlock + slidingLogicalBlocks.count
            * geometry.slidingBlocksPerLogicalBlock
    }
}
