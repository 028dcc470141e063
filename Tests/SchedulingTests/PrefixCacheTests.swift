import TestSupport
import Testing

@testable import Scheduling

@Suite struct PrefixCacheTests {
    private static func hashes(_ count: Int) -> [PrefixHash] {
        var chain = PrefixChain(cacheSalt: [], blockSize: 1)
        for token in 0..<Int32(count) { chain.append(token) }
        return chain.hashes
    }

    @Test func `a hash identifies the logical block's tokens, all tokens before them and the salt`() {
        func hashes(_ tokens: [Int32], cacheSalt: [UInt8] = []) -> [PrefixHash] {
            var chain = PrefixChain(cacheSalt: cacheSalt, blockSize: 2)
            for token in tokens { chain.append(token) }
            return chain.hashes
        }
        #expect(hashes([1, 2, 3, 4, 5]).count == 2)
        #expect(hashes([1, 2, 3, 4]) == hashes([1, 2, 3, 4, 5]))
        #expect(hashes([1, 2, 3, 4])[0] == hashes([1, 2, 9, 4])[0])
        #expect(hashes([1, 2, 3, 4])[1] != hashes([1, 2, 9, 4])[1])
        #expect(hashes([9, 2, 3, 4])[1] != hashes([1, 2, 3, 4])[1])
        #expect(hashes([1, 1, 1, 1])[0] != hashes([1, 1, 1, 1])[1])
        #expect(hashes([1, 2], cacheSalt: [7]) != hashes([1, 2]))
        #expect(Set((0..<20_000).map { hashes([$0, 0])[0] }).count == 20_000)
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `the hit is the longest whose visible keys are all cached`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let parts = [(1, 1), (2, 1), (1, 0), (0, 2)].randomElement(using: &random) ?? (1, 1)
        let geometry = KVCacheGeometry(
            blockSize: .random(in: 1...4, using: &random), globalBlocksPerLogicalBlock: parts.0,
            slidingBlocksPerLogicalBlock: parts.1,
            slidingWindow: .random(in: 1...14, using: &random), totalBlocks: 100)
        let hashes = Self.hashes(12)
        var cache = PrefixCache(totalBlocks: 100)
        var nextBlock: Int32 = 0
        for hash in hashes {
            for (group, blocks, rarity) in [
                (PrefixCache.Group.global, parts.0, 12), (.sliding, parts.1, 4),
            ] where blocks > 0 && !random.oneIn(rarity) {
                cache.keep(
                    PrefixCache.Key(hash: hash, group: group), blocks: (0..<Int32(blocks)).map { nextBlock + $0 })
                nextBlock += Int32(blocks)
            }
        }
        for limit in 0...13 {
            let longest = (0...min(limit, 12)).last { logicalBlocks in
                let query = logicalBlocks * geometry.blockSize
                return (0..<query).allSatisfy { key in
                    let hash = hashes[key / geometry.blockSize]
                    let isSeen = key > query - geometry.slidingWindow
                    return
                        (parts.0 == 0 || cache.blocks(PrefixCache.Key(hash: hash, group: .global)) != nil)
                        && (parts.1 == 0 || !isSeen
                            || cache.blocks(PrefixCache.Key(hash: hash, group: .sliding)) != nil)
                }
            }
            #expect(cache.hit(hashes, limit: limit, geometry: geometry).logicalBlocks == longest)
        }
    }

    @Test func `the logical block that has been idle for longest is evicted, but never one in use`() {
        let keys = Self.hashes(3).map { PrefixCache.Key(hash: $0, group: .global) }
        var cache = PrefixCache(totalBlocks: 6)
        for (index, key) in keys.enumerated() { cache.keep(key, blocks: [Int32(2 * index), Int32(2 * index + 1)]) }
        #expect(cache.evict() == nil)
        for block in [2, 0, 4] as [Int32] { cache.rest(firstBlock: block) }
        cache.use(firstBlock: 0)
        #expect(cache.evict() == [2, 3])
        #expect(cache.blocks(keys[1]) == nil && cache.blocks(keys[0]) == [0, 1])
        #expect(cache.evict() == [4, 5])
        #expect(cache.evict() == nil)
    }

    @Test func `content that is computed again counts as used`() {
        let keys = Self.hashes(2).map { PrefixCache.Key(hash: $0, group: .sliding) }
        var cache = PrefixCache(totalBlocks: 4)
        for (index, key) in keys.enumerated() {
            cache.keep(key, blocks: [Int32(index)])
            cache.rest(firstBlock: Int32(index))
        }
        cache.keep(keys[0], blocks: [3])
        #expect(!cache.contains(firstBlock: 3))
        #expect(cache.evict() == [1])
    }
}

@Suite struct RecencyQueueTests {
    @Test(arguments: 0..<50 as Range<UInt64>)
    func `the queue agrees with an array`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = RecencyQueue(capacity: 8)
        var naive: [Int32] = []
        for _ in 0..<200 {
            let number = Int32.random(in: 0..<8, using: &random)
            #expect(queue.contains(number) == naive.contains(number))
            if random.oneIn(4) {
                #expect(queue.popFirst() == (naive.isEmpty ? nil : naive.removeFirst()))
            } else if queue.contains(number) {
                queue.remove(number)
                naive.removeAll { $0 == number }
            } else {
                queue.append(number)
                naive.append(number)
            }
        }
    }
}
