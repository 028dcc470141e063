import Scheduling
import TestSupport
import Testing

@Suite struct BlockPoolTests {
    @Test func `a new pool allocates its blocks in order`() {
        var pool = BlockPool(totalBlocks: 3)
        #expect((0..<3).map { _ in pool.allocate() } == [0, 1, 2])
        #expect(pool.freeBlocks == 0)
    }

    @Test func `a freed block is appended at the tail`() {
        var pool = BlockPool(totalBlocks: 3)
        let first = pool.allocate()
        pool.release(first)
        #expect((0..<3).map { _ in pool.allocate() } == [1, 2, 0])
    }

    @Test func `a block with two references is free after two releases`() {
        var pool = BlockPool(totalBlocks: 1)
        let block = pool.allocate()
        pool.retain(block)
        pool.release(block)
        #expect(pool.freeBlocks == 0)
        pool.release(block)
        #expect(pool.freeBlocks == 1)
    }

    @Test func `releasing a free block traps`() async {
        await #expect(processExitsWith: .failure) {
            var pool = BlockPool(totalBlocks: 1)
            let block = pool.allocate()
            pool.release(block)
            pool.release(block)
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `the pool agrees with a naive one under random operations`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let total = Int.random(in: 1...12, using: &random)
        var pool = BlockPool(totalBlocks: total)
        var free = (0..<Int32(total)).map { $0 }
        var references: [Int32: Int] = [:]
        for step in 0..<150 {
            let allocated = references.keys.sorted().randomElement(using: &random)
            switch (Int.random(in: 0..<3, using: &random), allocated) {
            case (0, _) where !free.isEmpty:
                let block = pool.allocate()
                #expect(block == free.removeFirst(), "seed \(seed), step \(step)")
                references[block] = 1
            case (1, let block?):
                pool.retain(block)
                references[block, default: 0] += 1
            case (2, let block?):
                pool.release(block)
                references[block, default: 0] -= 1
                if references[block] == 0 {
                    references[block] = nil
                    free.append(block)
                }
            default: break
            }
            let counts = (0..<Int32(total)).map { pool.referenceCount(of: $0) }
            let naiveCounts = (0..<Int32(total)).map { references[$0] ?? 0 }
            #expect(counts == naiveCounts, "seed \(seed), step \(step)")
            #expect(
                pool.freeBlocks == free.count && pool.allocatedBlocks == references.count, "seed \(seed), step \(step)")
            #expect(pool.violatedInvariant() == nil, "seed \(seed), step \(step)")
        }
    }
}
