import KernelSupport

// Attention of one query row over the paged cache. Keys are taken in segments of 256 absolute positions: each segment has
// its own maximum, sum and weighted values, started fresh, and segments are merged in ascending order; so a row's result
// is the same in prefill and decode. Scores: one chain of ascending channels; values: one chain of ascending positions.

extension Portable {
    /// out = softmax(scale * q k^T) v of the query heads that share one key-value head, for one row, over a float32 cache.
    ///
    /// - Parameters:
    ///   - query: (heads, headDimension)
    ///   - cache: where this layer's and head's keys begin in block 0: keys (headDimension, 16), values (16, headDimension)
    ///   - table: block of slot s at `table[s * tableStride]`
    ///   - firstKey, endKey: the visible positions; not empty
    ///   - out: (heads, headDimension)
    public static func attendFloat32(
        query: UnsafePointer<Float>, heads: Int, headDimension: Int, cache: UnsafeRawPointer, blockBytes: Int,
        table: UnsafePointer<Int32>, tableStride: Int, firstKey: Int, endKey: Int, scale: Float,
        out: UnsafeMutablePointer<Float>
    ) {
        let keys = CachedKeys(
            cache: cache, blockBytes: blockBytes, table: table, tableStride: tableStride, headDimension: headDimension,
            isBFloat16: false)
        attend(query, heads, keys, firstKey, endKey, scale, out)
    }

    /// The same over a bfloat16 cache.
    public static func attendBFloat16(
        query: UnsafePointer<Float>, heads: Int, headDimension: Int, cache: UnsafeRawPointer, blockBytes: Int,
        table: UnsafePointer<Int32>, tableStride: Int, firstKey: Int, endKey: Int, scale: Float,
        out: UnsafeMutablePointer<Float>
    ) {
        let keys = CachedKeys(
            cache: cache, blockBytes: blockBytes, table: table, tableStride: tableStride, headDimension: headDimension,
            isBFloat16: true)
        attend(query, heads, keys, firstKey, endKey, scale, out)
    }

    @inline(__always)
    private static func attend(
        _ query: UnsafePointer<Float>, _ heads: Int, _ keys: CachedKeys, _ firstKey: Int, _ endKey: Int, _ scale: Float,
        _ out: UnsafeMutablePointer<Float>
    ) {
        let width = keys.headDimension
        var scores = InlineArray<256, Float>(repeating: 0)
        withUnsafeMutableBytes(of: &scores) { bytes in
            guard let scores = bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            var head = 0
            while head < heads {
                attendHead(query + head * width, keys, firstKey, endKey, scale, scores, out + head * width)
                head += 1
            }
        }
    }

    @inline(__always)
    private static func attendHead(
        _ query: UnsafePointer<Float>, _ keys: CachedKeys, _ firstKey: Int, _ endKey: Int, _ scale: Float,
        _ scores: UnsafeMutablePointer<Float>, _ out: UnsafeMutablePointer<Float>
    ) {
        let width = keys.headDimension
        var highest = -Float.infinity
        var total: Float = 0
        var start = firstKey
        while start < endKey {
            let boundary = (start / 256 + 1) * 256
            let end = boundary < endKey ? boundary : endKey
            let segmentHighest = score(query, keys, start, end, scale, scores)
            let segmentTotal = exponentiate(scores, start, end, segmentHighest)

            let newHighest = segmentHighest > highest ? segmentHighest : highest
            let oldFactor = exponential(highest - newHighest)
            let segmentFactor = exponential(segmentHighest - newHighest)
            total = total * oldFactor + segmentTotal * segmentFactor
            highest = newHighest

            let isFirst = start == firstKey
            var i = 0
            while i < width {
                let count = width - i
                var merged = keys.weightedValues(scores, start, end, i, count: count) * segmentFactor
                if !isFirst { merged = merged + load(out, i, count: count) * oldFactor }
                store(merged, out, i, count: count)
                i += 16
            }
            start = end
        }
        let inverse = 1 / total
        var i = 0
        while i < width {
            store(load(out, i, count: width - i) * inverse, out, i, count: width - i)
            i += 16
        }
    }

    /// Scores of positions start ..< end, all in one segment, at `scores[position % 256]`; returns the largest. Lanes of
    /// the same blocks outside the range become minus infinity.
    @inline(__always)
    private static func score(
        _ query: UnsafePointer<Float>, _ keys: CachedKeys, _ start: Int, _ end: Int, _ scale: Float,
        _ scores: UnsafeMutablePointer<Float>
    ) -> Float {
        var highest = SIMD16<Float>(repeating: -.infinity)
        var slot = start / 16
        while slot * 16 < end {
            var values = keys.products(query, slot) * scale
            var lane = 0
            while lane < start - slot * 16 {
                values[lane] = -.infinity
                lane += 1
            }
            lane = end - slot * 16
            while lane < 16 {
                values[lane] = -.infinity
                lane += 1
            }
            store16(values, scores, slot % 16 * 16)
            highest = highest.replacing(with: values, where: values .> highest)
            slot += 1
        }
        return largest(highest)
    }

    /// Replaces scores by exp(score - highest) and returns their sum: 16 lanes by position, then a tree.
    @inline(__always)
    private static func exponentiate(
        _ scores: UnsafeMutablePointer<Float>, _ start: Int, _ end: Int, _ highest: Float
    ) -> Float {
        var sums = SIMD16<Float>.zero
        var slot = start / 16
        while slot * 16 < end {
            let terms = exponential(load16(scores, slot % 16 * 16) - highest)
            store16(terms, scores, slot % 16 * 16)
            sums = sums + terms
            slot += 1
        }
        return sum(sums)
    }
}

/// One head's keys and values behind a block table.
struct CachedKeys {
    let cache: UnsafeRawPointer
    let blockBytes: Int
    let table: UnsafePointer<Int32>
    let tableStride: Int
    let headDimension: Int
    let isBFloat16: Bool

    @inline(__always)
    func block(_ slot: Int) -> UnsafeRawPointer {
        cache + Int(table[slot * tableStride]) * blockBytes
    }

    /// query . key of the 16 positions of a slot.
    @inline(__always)
    func products(_ query: UnsafePointer<Float>, _ slot: Int) -> SIMD16<Float> {
        let base = block(slot)
        var sums = SIMD16<Float>.zero
        var channel = 0
        while channel < headDimension {
            sums = element16(base, channel * 16) * query[channel] + sums
            channel += 1
        }
        return sums
    }

    /// The sum of weight * value over positions start ..< end of one segment, for up to 16 channels from `channel` on.
    /// Only visible positions are read: the others may hold anything, also what is not a number.
    @inline(__always)
    func weightedValues(
        _ weights: UnsafePointer<Float>, _ start: Int, _ end: Int, _ channel: Int, count: Int
    ) -> SIMD16<Float> {
        var sums = SIMD16<Float>.zero
        var position = start
        while position < end {
            let slotEnd = (position / 16 + 1) * 16
            let stop = slotEnd < end ? slotEnd : end
            let base = block(position / 16)
            while position < stop {
                let index = headDimension * 16 + position % 16 * headDimension + channel
                sums = elements(base, index, count: count) * weights[position % 256] + sums
                position += 1
            }
        }
        return sums
    }

    @inline(__always)
    private func element16(_ base: UnsafeRawPointer, _ index: Int) -> SIMD16<Float> {
        if isBFloat16 {
            return bfloat16Lanes(base + index * 2)
        }
        return (base + index * 4).loadUnaligned(as: SIMD16<Float>.self)
    }

    @inline(__always)
    private func elements(_ base: UnsafeRawPointer, _ index: Int, count: Int) -> SIMD16<Float> {
        if count >= 16 { return element16(base, index) }
        var value = SIMD16<Float>.zero
        var lane = 0
        while lane < count {
            if isBFloat16 {
                let bits = (base + (index + lane) * 2).loadUnaligned(as: UInt16.self)
                value[lane] = Float(bitPattern: UInt32(truncatingIfNeeded: bits) &<< 16)
            } else {
                value[lane] = (base + (index + lane) * 4).loadUnaligned(as: Float.self)
            }
            lane += 1
        }
        return value
    }
}
