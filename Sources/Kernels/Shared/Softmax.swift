// The softmax of attention, for keys that are processed in parts.

extension Kernels {
    /// Merges the next segment into the result of the previous ones.
    public static func mergeSegment(
        partial: UnsafePointer<Float>, heads: Int, headDimension: Int, total: UnsafeMutablePointer<Float>
    ) {
        let maxima = heads * headDimension
        let sums = maxima + heads
        var head = 0
        while head < heads {
            let before = total[maxima + head]
            let added = partial[maxima + head]
            let highest = added > before ? added : before
            let oldFactor = exponential(before - highest)
            let newFactor = exponential(added - highest)
            total[maxima + head] = highest
            total[sums + head] = total[sums + head] * oldFactor + partial[sums + head] * newFactor
            let values = total + head * headDimension
            let addedValues = partial + head * headDimension
            var i = 0
            while i < headDimension {
                let count = headDimension - i
                let old = load(values, i, count: count) * oldFactor
                store(load(addedValues, i, count: count) * newFactor + old, values, i, count: count)
                i += 16
            }
            head += 1
        }
    }

    /// Computes out (heads, headDimension) = the values of all segments divided by their sums.
    public static func finishAttention(
        total: UnsafePointer<Float>, heads: Int, headDimension: Int, out: UnsafeMutablePointer<Float>
    ) {
        var head = 0
        while head < heads {
            let inverse = 1 / total[heads * headDimension + heads + head]
            var i = head * headDimension
            let end = i + headDimension
            while i < end {
                store(load(total, i, count: end - i) * inverse, out, i, count: end - i)
                i += 16
            }
            head += 1
        }
    }

    /// The offset of the largest score of each head in the numbers of ``addScores(_:heads:)``. Sums and scores follow. The numbers
    /// begin with the factors that scale the previous values to the new largest score, one for each of up to four heads.
    static var largestScores: Int { 8 }
    static var sumLanes: Int { 16 }
    static var scoreLanes: Int { 80 }

    /// Replaces the next 32 scores of each head with weights relative to the largest score so far. The function is not inlined and
    /// has its numbers in memory, to leave the registers to the loops around it.
    @inline(never)
    static func addScores(_ numbers: UnsafeMutablePointer<Float>, heads: Int) {
        var h = 0
        while h < heads {
            let scores = load16(numbers, scoreLanes + h * 32)
            let moreScores = load16(numbers, scoreLanes + h * 32 + 16)
            let before = numbers[largestScores + h]
            let candidate = largestLane(larger(scores, moreScores))
            let largest = candidate > before ? candidate : before
            let factor = exponential(before - largest)
            let terms = exponential(scores - largest)
            let moreTerms = exponential(moreScores - largest)
            let sums = multiplyAdd(load16(numbers, sumLanes + h * 16), SIMD16<Float>(repeating: factor), terms)
            numbers[h] = factor
            numbers[largestScores + h] = largest
            store16(sums + moreTerms, numbers, sumLanes + h * 16)
            store16(terms, numbers, scoreLanes + h * 32)
            store16(moreTerms, numbers, scoreLanes + h * 32 + 16)
            h += 1
        }
    }
}
