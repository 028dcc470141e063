// Attention of one query row over the paged cache. Keys are processed in segments of 512 absolute positions. Each segment has its
// own maximum, sum and weighted values, and segments are merged in ascending order. Within a segment, pairs of logical blocks (32
// positions) are processed with a running maximum (Milakov and Gimelshein, "Online normalizer calculation for softmax", arXiv
// 1805.02867). A row's result is therefore the same in prefill and decode, and for any distribution of its segments over threads. A
// score is the sum of two chains: the even channels in ascending order and the odd channels in ascending order. Values are added in
// one chain in ascending order of positions.

import KernelInterface

extension Kernels.Float32Cache {
    /// Computes attention over the cache without rounding.
    public static func attend(_ arguments: AttentionArguments) { CachedSegment<4>(arguments: arguments).attend() }
}

extension Kernels.BFloat16Cache {
    /// Computes attention over the cache without rounding.
    public static func attend(_ arguments: AttentionArguments) { CachedSegment<2>(arguments: arguments).attend() }
}

extension Kernels.Float8Cache {
    /// Computes attention over the cache without rounding.
    public static func attend(_ arguments: AttentionArguments) { CachedSegment<1>(arguments: arguments).attend() }
}

/// The keys and values of one head in a segment, located by a block table. `elementBytes` is 4 for float32, 2 for bfloat16 and 1
/// for E4M3FN with scales. The type is private, like every type that is generic over a number: otherwise the code of its metadata
/// would be shared with other modules.
private struct CachedSegment<let elementBytes: Int> {
    let arguments: AttentionArguments

    private var headDimension: Int {
        @inline(__always) get { arguments.headDimension }
    }
    private var start: Int {
        @inline(__always) get { arguments.start }
    }
    private var end: Int {
        @inline(__always) get { arguments.end }
    }

    @inline(__always)
    func attend() {
        var head = 0
        while head < arguments.heads {
            let count = arguments.tileHeads(from: head)
            switch count {
            case 4: attend(head, InlineArray<4, Float>(repeating: 0))
            case 2: attend(head, InlineArray<2, Float>(repeating: 0))
            default: attend(head, InlineArray<1, Float>(repeating: 0))
            }
            head += count
        }
    }

    /// Processes pairs of logical blocks, so that memory is read nearly in order: first the scores, then their weights relative to
    /// the largest score so far, then the values.
    @inline(__always)
    private func attend<let count: Int>(_ head: Int, _ tile: InlineArray<count, Float>) {
        let query = arguments.query + head * headDimension
        let out = arguments.partial + head * headDimension
        var numbers = InlineArray<208, Float>(repeating: 0)
        withUnsafeMutableBytes(of: &numbers) { bytes in
            guard let numbers = bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            store16(SIMD16(repeating: -.infinity), numbers, 0)
            let weights = numbers + Kernels.scoreLanes
            var pair = start / 32
            while pair * 32 < end {
                let blocks = arguments.blocks(pair)
                let next = (pair + 1) * 32 < end ? arguments.blocks(pair + 1) : blocks
                scores(blocks, query, arguments.scale, pair, weights, tile)
                Kernels.addScores(numbers, heads: count)
                addValues(blocks, next, numbers, weights, pair, out, tile)
                pair += 1
            }
            arguments.storeScores(numbers, head, count: count)
        }
    }

    /// Computes the 32 scores of a pair of logical blocks for each head of the tile. The scores of positions that are not visible
    /// are minus infinity.
    @inline(__always)
    private func scores<let count: Int>(
        _ blocks: Pair<UnsafeRawPointer>, _ query: UnsafePointer<Float>, _ scale: Float, _ pair: Int,
        _ target: UnsafeMutablePointer<Float>, _ tile: InlineArray<count, Float>
    ) {
        // There are two chains, because one cannot keep the CPU's multipliers busy.
        var sums = Pair(repeating: InlineArray<count, SIMD16<Float>>(repeating: .zero))
        var oddSums = sums
        var channel = 0
        while channel + 2 <= headDimension {
            var keys = Pair<SIMD16<Float>>(repeating: .zero)
            var oddKeys = keys
            var s = 0
            while s < 2 {
                let block = blocks[unchecked: s]
                // Prefetches the values while the keys are used.
                prefetch(block + (16 * headDimension + channel * 16) * elementBytes)
                if elementBytes == 4 { prefetch(block + (16 * headDimension + channel * 16 + 16) * elementBytes) }
                (keys[unchecked: s], oddKeys[unchecked: s]) = elementPair(block, channel * 16)
                s += 1
            }
            var h = 0
            while h < count {
                let factor = SIMD16<Float>(repeating: query[h * headDimension + channel])
                let oddFactor = SIMD16<Float>(repeating: query[h * headDimension + channel + 1])
                s = 0
                while s < 2 {
                    sums[unchecked: s][unchecked: h] = multiplyAdd(
                        keys[unchecked: s], factor, sums[unchecked: s][unchecked: h])
                    oddSums[unchecked: s][unchecked: h] = multiplyAdd(
                        oddKeys[unchecked: s], oddFactor, oddSums[unchecked: s][unchecked: h])
                    s += 1
                }
                h += 1
            }
            channel += 2
        }
        var s = 0
        while s < 2 {
            let block = blocks[unchecked: s]
            var h = 0
            if channel < headDimension {
                let key = elements(block, channel * 16)
                while h < count {
                    let factor = SIMD16<Float>(repeating: query[h * headDimension + channel])
                    sums[unchecked: s][unchecked: h] = multiplyAdd(key, factor, sums[unchecked: s][unchecked: h])
                    h += 1
                }
            }
            // Applies the factor 2^8 that the decoding omits.
            let keyScales =
                elementBytes == 1 ? arguments.scales(block, 0) * (scale * 256) : SIMD16<Float>(repeating: scale)
            h = 0
            while h < count {
                let products = (sums[unchecked: s][unchecked: h] + oddSums[unchecked: s][unchecked: h]) * keyScales
                store16(products, target, h * 32 + s * 16)
                h += 1
            }
            s += 1
        }
        var h = 0
        while h < count {
            var position = pair * 32
            while position < start {
                target[h * 32 + position - pair * 32] = -.infinity
                position += 1
            }
            position = end
            while position < pair * 32 + 32 {
                target[h * 32 + position - pair * 32] = -.infinity
                position += 1
            }
            h += 1
        }
    }

    /// Computes out = out * factor + weights * values of a pair. Only visible positions are read, because the others are undefined
    /// and may be NaN.
    @inline(__always)
    private func addValues<let count: Int>(
        _ blocks: Pair<UnsafeRawPointer>, _ next: Pair<UnsafeRawPointer>, _ factors: UnsafePointer<Float>,
        _ weights: UnsafeMutablePointer<Float>, _ pair: Int, _ out: UnsafeMutablePointer<Float>,
        _ tile: InlineArray<count, Float>
    ) {
        if elementBytes == 1 {
            // Multiplies the weights by the scales of their tokens.
            var s = 0
            while s < 2 {
                let valueScales = arguments.scales(blocks[unchecked: s], 1) * 256
                var h = 0
                while h < count {
                    store16(load16(weights, h * 32 + s * 16) * valueScales, weights, h * 32 + s * 16)
                    h += 1
                }
                s += 1
            }
        }
        var channel = 0
        // Rows are processed in wide parts, so that memory is read nearly in order.
        while channel + 64 <= headDimension {
            addValues(
                blocks, next, factors, weights, out, tile, InlineArray<4, Int>(repeating: 0), channel, pair)
            channel += 64
        }
        while channel < headDimension {
            addValues(
                blocks, next, factors, weights, out, tile, InlineArray<1, Int>(repeating: 0), channel, pair)
            channel += 16
        }
    }

    /// Computes the same for `vectors` times 16 channels.
    @inline(__always)
    private func addValues<let count: Int, let vectors: Int>(
        _ blocks: Pair<UnsafeRawPointer>, _ next: Pair<UnsafeRawPointer>, _ factors: UnsafePointer<Float>,
        _ weights: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ tile: InlineArray<count, Float>,
        _ piece: InlineArray<vectors, Int>, _ channel: Int, _ pair: Int
    ) {
        let width = headDimension - channel
        var sums = InlineArray<vectors, InlineArray<count, SIMD16<Float>>>(repeating: InlineArray(repeating: .zero))
        var v = 0
        while v < vectors && pair > start / 32 {
            var h = 0
            while h < count {
                sums[unchecked: v][unchecked: h] =
                    load(out, h * headDimension + channel + v * 16, count: vectors > 1 ? 16 : width) * factors[h]
                h += 1
            }
            v += 1
        }
        var s = 0
        while s < 2 {
            let position = pair * 32 + s * 16
            var lane = position < start ? start - position : 0
            let stop = position + 16 < end ? 16 : end - position
            let values = blocks[unchecked: s] + 16 * headDimension * elementBytes
            let nextKeys = next[unchecked: s]
            while lane < stop {
                let index = lane * headDimension + channel
                // Prefetches the next keys while the values are used.
                prefetch(nextKeys + index * elementBytes)
                if vectors > 1 && elementBytes > 1 { prefetch(nextKeys + (index + 32) * elementBytes) }
                v = 0
                while v + 2 <= vectors {
                    let (value, nextValue) = elementPair(values, index + v * 16)
                    var h = 0
                    while h < count {
                        let weight = SIMD16<Float>(repeating: weights[h * 32 + s * 16 + lane])
                        sums[unchecked: v][unchecked: h] = multiplyAdd(value, weight, sums[unchecked: v][unchecked: h])
                        sums[unchecked: v + 1][unchecked: h] = multiplyAdd(
                            nextValue, weight, sums[unchecked: v + 1][unchecked: h])
                        h += 1
                    }
                    v += 2
                }
                if v < vectors {
                    let value = width >= 16 ? elements(values, index) : elements(values, index, count: width)
                    var h = 0
                    while h < count {
                        let weight = SIMD16<Float>(repeating: weights[h * 32 + s * 16 + lane])
                        sums[unchecked: v][unchecked: h] = multiplyAdd(value, weight, sums[unchecked: v][unchecked: h])
                        h += 1
                    }
                }
                lane += 1
            }
            s += 1
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

    /// Loads the elements index ..< index + 16 and the 16 elements after them.
    @inline(__always)
    private func elementPair(_ base: UnsafeRawPointer, _ index: Int) -> (SIMD16<Float>, SIMD16<Float>) {
        if elementBytes == 1 { return float8LanePair(base + index) }
        return (elements(base, index), elements(base, index + 16))
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

    /// Decodes an E4M3FN code, multiplied by 2^-8.
    @inline(__always)
    private func float8(_ code: UInt8) -> Float {
        let bits = UInt32(truncatingIfNeeded: code)
        return Float(bitPattern: (bits & 0x80) &<< 24 | (bits & 0x7f) &<< 20) * 0x1p112
    }
}
