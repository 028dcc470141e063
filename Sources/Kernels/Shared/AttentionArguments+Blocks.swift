import KernelInterface

typealias Pair<Element> = InlineArray<2, Element>

extension AttentionArguments {
    /// Returns the number of heads to process from `head` on: 4, 2 or 1. A tile of heads reads each key and value once.
    @inline(__always)
    func tileHeads(from head: Int) -> Int {
        if head + 4 <= heads { return 4 }
        return head + 2 <= heads ? 2 : 1
    }

    /// Returns the two blocks of a pair of logical blocks. If one is not visible, the other one is returned twice.
    @inline(__always)
    func blocks(_ pair: Int) -> Pair<UnsafeRawPointer> {
        let first = pair * 32 + 16 > start ? pair * 2 : pair * 2 + 1
        let second = pair * 32 + 16 < end ? pair * 2 + 1 : pair * 2
        var blocks = Pair(repeating: cache + Int(table[first * tableStride]) * blockBytes)
        blocks[unchecked: 1] = cache + Int(table[second * tableStride]) * blockBytes
        return blocks
    }

    /// Loads the scales of the keys (0) or values (1) of a float8 block.
    @inline(__always)
    func scales(_ block: UnsafeRawPointer, _ part: Int) -> SIMD16<Float> {
        (block + 32 * headDimension + part * 64).loadUnaligned(as: SIMD16<Float>.self)
    }

    /// Stores the largest scores and the sums of `count` heads after the values.
    @inline(__always)
    func storeScores(_ numbers: UnsafePointer<Float>, _ head: Int, count: Int) {
        let maxima = partial + heads * headDimension
        let sums = maxima + heads
        var h = 0
        while h < count {
            maxima[head + h] = numbers[Kernels.largestScores + h]
            sums[head + h] = sum(load16(numbers, Kernels.sumLanes + h * 16))
            h += 1
        }
    }
}
