// Attention of one query row over the paged cache. Keys are taken in segments of 256 absolute positions: each segment
// has its own maximum, sum and weighted values, started fresh, and segments are merged in ascending order. Within a
// segment slots of 16 positions follow each other with a running maximum (Milakov and Gimelshein, "Online normalizer
// calculation for softmax", arXiv 1805.02867). So a row's
// result is the same in prefill and decode, and whichever threads computed its segments. Scores: the even
// channels ascending, the odd ones, then their sum; values: one chain of ascending positions.

extension Kernels {
    /// softmax(scale * q k^T) v, not yet divided by its sum, over positions of one segment, of the query heads that
    /// share one key-value head; over a float32 cache.
    ///
    /// - Parameters:
    ///   - query: (heads, headDimension)
    ///   - cache: where this layer's and head's keys begin in block 0: keys (headDimension, 16), values (16,
    ///     headDimension)
    ///   - table: block of slot s at `table[s * tableStride]`
    ///   - start, end: the visible positions of the segment; not empty
    ///   - partial: values (heads, headDimension), then each head's largest score, then each head's sum
    public static func attendFloat32(
        query: UnsafePointer<Float>, heads: Int, headDimension: Int, cache: UnsafeRawPointer, blockBytes: Int,
        table: UnsafePointer<Int32>, tableStride: Int, start: Int, end: Int, scale: Float,
        partial: UnsafeMutablePointer<Float>
    ) {
        CachedSegment<4>(
            cache: cache, blockBytes: blockBytes, table: table, tableStride: tableStride, headDimension: headDimension,
            start: start, end: end
        ).attend(query, heads, scale, partial)
    }

    /// The same over a bfloat16 cache.
    public static func attendBFloat16(
        query: UnsafePointer<Float>, heads: Int, headDimension: Int, cache: UnsafeRawPointer, blockBytes: Int,
        table: UnsafePointer<Int32>, tableStride: Int, start: Int, end: Int, scale: Float,
        partial: UnsafeMutablePointer<Float>
    ) {
        CachedSegment<2>(
            cache: cache, blockBytes: blockBytes, table: table, tableStride: tableStride, headDimension: headDimension,
            start: start, end: end
        ).attend(query, heads, scale, partial)
    }

    /// The same over a cache of E4M3FN codes with a scale for each token's keys and each token's values; see
    /// ``writeCacheFloat8(keys:values:heads:headDimension:block:token:)``.
    public static func attendFloat8(
        query: UnsafePointer<Float>, heads: Int, headDimension: Int, cache: UnsafeRawPointer, blockBytes: Int,
        table: UnsafePointer<Int32>, tableStride: Int, start: Int, end: Int, scale: Float,
        partial: UnsafeMutablePointer<Float>
    ) {
        CachedSegment<1>(
            cache: cache, blockBytes: blockBytes, table: table, tableStride: tableStride, headDimension: headDimension,
            start: start, end: end
        ).attend(query, heads, scale, partial)
    }

    /// Adds the segment that follows to what the segments before came to.
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

    /// out (heads, headDimension) = the values of all segments over their sums.
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
}

/// One head's keys and values of a segment behind a block table; `elementBytes` is 4 for float32, 2 for bfloat16, 1 for
/// E4M3FN with scales.
private struct CachedSegment<let elementBytes: Int> {
    let cache: UnsafeRawPointer
    let blockBytes: Int
    let table: UnsafePointer<Int32>
    let tableStride: Int
    let headDimension: Int
    let start: Int
    let end: Int

    @inline(__always)
    func attend(_ query: UnsafePointer<Float>, _ heads: Int, _ scale: Float, _ partial: UnsafeMutablePointer<Float>) {
        // A tile of heads reads each key and value once.
        var head = 0
        while head + 4 <= heads {
            attend(query, heads, head, scale, partial, InlineArray<4, Float>(repeating: 0))
            head += 4
        }
        if head + 2 <= heads {
            attend(query, heads, head, scale, partial, InlineArray<2, Float>(repeating: 0))
            head += 2
        }
        if head < heads { attend(query, heads, head, scale, partial, InlineArray<1, Float>(repeating: 0)) }
    }

    /// Slot by slot, so that memory is read in order: scores, their weights under the largest score so far, values.
    @inline(__always)
    private func attend<let count: Int>(
        _ query: UnsafePointer<Float>, _ heads: Int, _ head: Int, _ scale: Float,
        _ partial: UnsafeMutablePointer<Float>, _ tile: InlineArray<count, Float>
    ) {
        let query = query + head * headDimension
        let out = partial + head * headDimension
        var highest = InlineArray<count, Float>(repeating: -.infinity)
        var sums = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        // What the values before are worth under the new largest score, for each head, then 16 weights for each.
        var scratch = InlineArray<80, Float>(repeating: 0)
        withUnsafeMutableBytes(of: &scratch) { bytes in
            guard let factors = bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            let weights = factors + 16
            var slot = start / 16
            while slot * 16 < end {
                let keys = block(slot)
                let nextKeys = (slot + 1) * 16 < end ? block(slot + 1) : keys
                let scores = scores(keys, query, scale, slot, tile)
                var h = 0
                while h < count {
                    let candidate = largestLane(scores[unchecked: h])
                    let before = highest[unchecked: h]
                    let isHigher = candidate > before
                    if isHigher { highest[unchecked: h] = candidate }
                    factors[h] = isHigher ? exponential(before - candidate) : 1
                    let terms = exponential(scores[unchecked: h] - highest[unchecked: h])
                    sums[unchecked: h] = multiplyAdd(
                        sums[unchecked: h], SIMD16<Float>(repeating: factors[h]), terms)
                    store16(terms, weights, h * 16)
                    h += 1
                }
                addValues(keys + 16 * headDimension * elementBytes, nextKeys, factors, weights, slot, out, tile)
                slot += 1
            }
        }
        var h = 0
        while h < count {
            partial[heads * headDimension + head + h] = highest[unchecked: h]
            partial[heads * (headDimension + 1) + head + h] = sum(sums[unchecked: h])
            h += 1
        }
    }

    @inline(__always)
    private func block(_ slot: Int) -> UnsafeRawPointer {
        cache + Int(table[slot * tableStride]) * blockBytes
    }

    /// A slot's 16 scores for each head of the tile; lanes of positions that are not visible are minus infinity.
    @inline(__always)
    private func scores<let count: Int>(
        _ keys: UnsafeRawPointer, _ query: UnsafePointer<Float>, _ scale: Float, _ slot: Int,
        _ tile: InlineArray<count, Float>
    ) -> InlineArray<count, SIMD16<Float>> {
        // Two chains, since one is not enough to keep the CPU's multipliers busy.
        var sums = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var oddSums = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        let values = keys + 16 * headDimension * elementBytes
        var channel = 0
        while channel + 2 <= headDimension {
            // The values arrive while the keys are used.
            prefetch(values + channel * 16 * elementBytes)
            if elementBytes == 4 { prefetch(values + channel * 64 + 64) }
            let key = elements(keys, channel * 16)
            let oddKey = elements(keys, channel * 16 + 16)
            var h = 0
            while h < count {
                let factor = SIMD16<Float>(repeating: query[h * headDimension + channel])
                let oddFactor = SIMD16<Float>(repeating: query[h * headDimension + channel + 1])
                sums[unchecked: h] = multiplyAdd(key, factor, sums[unchecked: h])
                oddSums[unchecked: h] = multiplyAdd(oddKey, oddFactor, oddSums[unchecked: h])
                h += 1
            }
            channel += 2
        }
        if channel < headDimension {
            let key = elements(keys, channel * 16)
            var h = 0
            while h < count {
                let factor = SIMD16<Float>(repeating: query[h * headDimension + channel])
                sums[unchecked: h] = multiplyAdd(key, factor, sums[unchecked: h])
                h += 1
            }
        }
        let positions = Self.lanes &+ Int32(truncatingIfNeeded: slot &* 16)
        let isHidden =
            (positions .< Int32(truncatingIfNeeded: start)) .| (positions .>= Int32(truncatingIfNeeded: end))
        // The 2^8 that decoding left out comes in here.
        let keyScales = elementBytes == 1 ? scales(keys, 0) * (scale * 256) : SIMD16<Float>(repeating: scale)
        var h = 0
        while h < count {
            let products = (sums[unchecked: h] + oddSums[unchecked: h]) * keyScales
            sums[unchecked: h] = products.replacing(with: -.infinity, where: isHidden)
            h += 1
        }
        return sums
    }

    private static var lanes: SIMD16<Int32> {
        @inline(__always) get { SIMD16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) }
    }

    /// out = out * factor + weights * values of a slot. Only visible positions are read: the others may hold anything,
    /// also what is not a number.
    @inline(__always)
    private func addValues<let count: Int>(
        _ values: UnsafeRawPointer, _ nextKeys: UnsafeRawPointer, _ factors: UnsafePointer<Float>,
        _ weights: UnsafeMutablePointer<Float>, _ slot: Int, _ out: UnsafeMutablePointer<Float>,
        _ tile: InlineArray<count, Float>
    ) {
        let first = slot * 16 < start ? start - slot * 16 : 0
        let stop = slot * 16 + 16 < end ? 16 : end - slot * 16
        let isFirst = slot == start / 16
        if elementBytes == 1 {
            // The tokens' scales go into their weights.
            let valueScales = scales(values - 16 * headDimension, 1) * 256
            var h = 0
            while h < count {
                store16(load16(weights, h * 16) * valueScales, weights, h * 16)
                h += 1
            }
        }
        var channel = 0
        // Wide pieces of a row, so that memory is read nearly in order.
        while channel + 64 <= headDimension {
            addValues(
                values, nextKeys, factors, weights, out, tile, InlineArray<4, Int>(repeating: 0), channel, first, stop,
                isFirst)
            channel += 64
        }
        while channel < headDimension {
            addValues(
                values, nextKeys, factors, weights, out, tile, InlineArray<1, Int>(repeating: 0), channel, first, stop,
                isFirst)
            channel += 16
        }
    }

    /// The same for tokens first ..< stop and `vectors` times 16 channels.
    @inline(__always)
    private func addValues<let count: Int, let vectors: Int>(
        _ values: UnsafeRawPointer, _ nextKeys: UnsafeRawPointer, _ factors: UnsafePointer<Float>,
        _ weights: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ tile: InlineArray<count, Float>,
        _ piece: InlineArray<vectors, Int>, _ channel: Int, _ first: Int, _ stop: Int, _ isFirst: Bool
    ) {
        let width = headDimension - channel
        var sums = InlineArray<vectors, InlineArray<count, SIMD16<Float>>>(repeating: InlineArray(repeating: .zero))
        var v = 0
        while v < vectors && !isFirst {
            var h = 0
            while h < count {
                sums[unchecked: v][unchecked: h] =
                    load(out, h * headDimension + channel + v * 16, count: vectors > 1 ? 16 : width) * factors[h]
                h += 1
            }
            v += 1
        }
        var lane = first
        var index = first * headDimension + channel
        while lane < stop {
            // The next keys arrive while the values are used.
            prefetch(nextKeys + index * elementBytes)
            if vectors > 1 { prefetch(nextKeys + (index + 32) * elementBytes) }
            v = 0
            while v < vectors {
                let value =
                    vectors > 1 || width >= 16
                    ? elements(values, index + v * 16) : elements(values, index, count: width)
                var h = 0
                while h < count {
                    let weight = SIMD16<Float>(repeating: weights[h * 16 + lane])
                    sums[unchecked: v][unchecked: h] = multiplyAdd(value, weight, sums[unchecked: v][unchecked: h])
                    h += 1
                }
                v += 1
            }
            lane += 1
            index += headDimension
        }
        v = 0
        while v < vectors {
            var h = 0
            while h < count {
                store(
                    sums[unchecked: v][unchecked: h], out, h * headDimension + channel + v * 16,
                    count: vectors > 1 ? 16 : width)
                h += 1
            }
            v += 1
        }
    }

    @inline(__always)
    private func elements(_ base: UnsafeRawPointer, _ index: Int) -> SIMD16<Float> {
        if elementBytes == 1 { return float8Lanes(base + index) }
        if elementBytes == 2 { return bfloat16Lanes(base + index * 2) }
        return (base + index * 4).loadUnaligned(as: SIMD16<Float>.self)
    }

    @inline(__always)
    private func elements(_ base: UnsafeRawPointer, _ index: Int, count: Int) -> SIMD16<Float> {
        var value = SIMD16<Float>.zero
        var lane = 0
        while lane < count {
            if elementBytes == 1 {
                value[lane] = float8((base + index + lane).load(as: UInt8.self))
            } else if elementBytes == 2 {
                let bits = (base + (index + lane) * 2).loadUnaligned(as: UInt16.self)
                value[lane] = Float(bitPattern: UInt32(truncatingIfNeeded: bits) &<< 16)
            } else {
                value[lane] = (base + (index + lane) * 4).loadUnaligned(as: Float.self)
            }
            lane += 1
        }
        return value
    }

    /// E4M3FN times 2^-8.
    @inline(__always)
    private func float8(_ code: UInt8) -> Float {
        let bits = UInt32(truncatingIfNeeded: code)
        return Float(bitPattern: (bits & 0x80) &<< 24 | (bits & 0x7f) &<< 20) * 0x1p112
    }

    /// The scales of a block's keys (0) or values (1).
    @inline(__always)
    private func scales(_ block: UnsafeRawPointer, _ part: Int) -> SIMD16<Float> {
        (block + 32 * headDimension + part * 64).loadUnaligned(as: SIMD16<Float>.self)
    }
}
