import CIntrinsics
import KernelInterface

// Attention in which the query and the weights of the values are rounded to bfloat16, like activations in products. Keys and values
// are multiplied in pairs of bfloat16 numbers, with half as many instructions. Heads with more than 512 channels, or whose number
// of channels is not a multiple of 64, are computed without rounding.

extension AVX512.BFloat16Cache {
    /// Computes attention with the query and the weights of the values rounded to bfloat16.
    public static func attendRounded(_ arguments: AttentionArguments) {
        if arguments.hasRoundedHeads { RoundedSegment<2>(arguments: arguments).attend() } else { attend(arguments) }
    }
}

extension AVX512.Float8Cache {
    /// Computes attention with the query and the weights of the values rounded to bfloat16. Every E4M3FN number is exact in
    /// bfloat16.
    public static func attendRounded(_ arguments: AttentionArguments) {
        if arguments.hasRoundedHeads { RoundedSegment<1>(arguments: arguments).attend() } else { attend(arguments) }
    }
}

extension AttentionArguments {
    fileprivate var hasRoundedHeads: Bool { headDimension % 64 == 0 && headDimension <= 512 }
}

/// The keys and values of one head in a segment, located by a block table. `elementBytes` is 2 for bfloat16 and 1 for E4M3FN with
/// scales. It works like the segments in `Shared`, except that the chains of the scores are the even and the odd pairs of channels,
/// and the chain of the values consists of pairs of positions.
private struct RoundedSegment<let elementBytes: Int> {
    let arguments: AttentionArguments

    private var isFloat8: Bool {
        @inline(__always) get { elementBytes == 1 }
    }

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

    @inline(__always)
    private func attend<let count: Int>(_ head: Int, _ tile: InlineArray<count, Float>) {
        let out = arguments.partial + head * headDimension
        // The query's channels, followed by the weights of a pair of logical blocks. Both are bfloat16 numbers with room for four
        // heads.
        var rounded = InlineArray<2176, UInt16>(repeating: 0)
        var numbers = InlineArray<208, Float>(repeating: 0)
        withUnsafeMutableBytes(of: &rounded) { rounded in
            withUnsafeMutableBytes(of: &numbers) { numbers in
                guard let numbers = numbers.baseAddress?.assumingMemoryBound(to: Float.self),
                    let rounded = rounded.baseAddress
                else { return }
                round(arguments.query + head * headDimension, count * headDimension, rounded)
                let weights = rounded + 4096
                store16(SIMD16(repeating: -.infinity), numbers, 0)
                var pair = start / 32
                while pair * 32 < end {
                    let blocks = arguments.blocks(pair)
                    let next = (pair + 1) * 32 < end ? arguments.blocks(pair + 1) : blocks
                    let (first, second) = (blocks[unchecked: 0], blocks[unchecked: 1])
                    scores(first, second, rounded, arguments.scale, pair, numbers + Kernels.scoreLanes, tile)
                    Kernels.addScores(numbers, heads: count)
                    roundWeights(first, second, pair, numbers + Kernels.scoreLanes, weights, tile)
                    var channel = 0
                    while channel < headDimension {
                        addValues(first, second, next, numbers, weights, pair, out + channel, channel, tile)
                        channel += 64
                    }
                    pair += 1
                }
                arguments.storeScores(numbers, head, count: count)
            }
        }
    }

    @inline(__always)
    private func round(_ source: UnsafePointer<Float>, _ count: Int, _ target: UnsafeMutableRawPointer) {
        var i = 0
        while i < count {
            target.storeBytes(of: trinity_to_bfloat16(load16(source, i)), toByteOffset: i * 2, as: SIMD4<Int64>.self)
            i += 16
        }
    }

    /// Computes the 32 scores of a pair of logical blocks for each head of the tile. The scores of positions that are not visible
    /// are minus infinity.
    @inline(__always)
    private func scores<let count: Int>(
        _ first: UnsafeRawPointer, _ second: UnsafeRawPointer, _ query: UnsafeRawPointer, _ scale: Float, _ pair: Int,
        _ target: UnsafeMutablePointer<Float>, _ tile: InlineArray<count, Float>
    ) {
        var even = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var odd = even
        var secondEven = even
        var secondOdd = even
        var channel = 0
        while channel < headDimension {
            let keys = keyPairs(first + channel * 16 * elementBytes)
            let secondKeys = keyPairs(second + channel * 16 * elementBytes)
            var h = 0
            while h < count {
                let place = query + (h * headDimension + channel) * 2
                let factors = trinity_broadcast_pair(place)
                let oddFactors = trinity_broadcast_pair(place + 4)
                even[unchecked: h] = trinity_dot_bfloat16(even[unchecked: h], keys.0, factors)
                secondEven[unchecked: h] = trinity_dot_bfloat16(secondEven[unchecked: h], secondKeys.0, factors)
                odd[unchecked: h] = trinity_dot_bfloat16(odd[unchecked: h], keys.1, oddFactors)
                secondOdd[unchecked: h] = trinity_dot_bfloat16(secondOdd[unchecked: h], secondKeys.1, oddFactors)
                h += 1
            }
            channel += 4
        }
        let none = SIMD16<Float>(repeating: -.infinity)
        let (visible, secondVisible) = (visible(pair * 32), visible(pair * 32 + 16))
        let one = SIMD16<Float>(repeating: scale)
        let keyScales = isFloat8 ? arguments.scales(first, 0) * scale : one
        let secondKeyScales = isFloat8 ? arguments.scales(second, 0) * scale : one
        var h = 0
        while h < count {
            let products = (even[unchecked: h] + odd[unchecked: h]) * keyScales
            let secondProducts = (secondEven[unchecked: h] + secondOdd[unchecked: h]) * secondKeyScales
            store16(none.replacing(with: products, where: visible), target, h * 32)
            store16(none.replacing(with: secondProducts, where: secondVisible), target, h * 32 + 16)
            h += 1
        }
    }

    /// Loads the keys of four channels and 16 tokens, as pairs of the first two channels and of the last two.
    @inline(__always)
    private func keyPairs(_ keys: UnsafeRawPointer) -> (SIMD8<Int64>, SIMD8<Int64>) {
        // Prefetches the values while the keys are used.
        prefetch(keys + headDimension * 16 * elementBytes)
        if isFloat8 { return float8Pairs(trinity_permute(line(keys), trinity_key_order())) }
        prefetch(keys + headDimension * 16 * elementBytes + 64)
        return (trinity_pair_halves(line(keys)), trinity_pair_halves(line(keys + 64)))
    }

    /// Stores the weights, multiplied by the scales of their tokens, in bfloat16. Weights of positions that are not visible become
    /// zero, because their scales are undefined.
    @inline(__always)
    private func roundWeights<let count: Int>(
        _ first: UnsafeRawPointer, _ second: UnsafeRawPointer, _ pair: Int, _ weights: UnsafePointer<Float>,
        _ target: UnsafeMutableRawPointer, _ tile: InlineArray<count, Float>
    ) {
        let none = SIMD16<Float>.zero
        let one = SIMD16<Float>(repeating: 1)
        let valueScales =
            isFloat8 ? none.replacing(with: arguments.scales(first, 1), where: visible(pair * 32)) : one
        let secondValueScales =
            isFloat8 ? none.replacing(with: arguments.scales(second, 1), where: visible(pair * 32 + 16)) : one
        var h = 0
        while h < count {
            let place = target + h * 64
            place.storeBytes(
                of: trinity_to_bfloat16(load16(weights, h * 32) * valueScales), as: SIMD4<Int64>.self)
            place.storeBytes(
                of: trinity_to_bfloat16(load16(weights, h * 32 + 16) * secondValueScales), toByteOffset: 32,
                as: SIMD4<Int64>.self)
            h += 1
        }
    }

    /// Computes out = out * factor + weights * values of a pair of logical blocks, for 64 channels.
    @inline(__always)
    private func addValues<let count: Int>(
        _ first: UnsafeRawPointer, _ second: UnsafeRawPointer, _ next: Pair<UnsafeRawPointer>,
        _ factors: UnsafePointer<Float>, _ weights: UnsafeRawPointer, _ pair: Int,
        _ out: UnsafeMutablePointer<Float>, _ channel: Int, _ tile: InlineArray<count, Float>
    ) {
        var sums = InlineArray<4, InlineArray<count, SIMD16<Float>>>(repeating: InlineArray(repeating: .zero))
        var v = 0
        while v < 4 && pair > start / 32 {
            var h = 0
            while h < count {
                sums[unchecked: v][unchecked: h] = load16(out, h * headDimension + v * 16) * factors[h]
                h += 1
            }
            v += 1
        }
        var s = 0
        while s < 2 {
            let block = s == 0 ? first : second
            let nextKeys = next[unchecked: s] + channel * 16 * elementBytes
            let values = block + (16 * headDimension + channel) * elementBytes
            // The visible positions of the block.
            let from = pair * 32 + s * 16
            let (first, last) = (start - from, end - from)
            var position = 0
            while position < 16 {
                // Prefetches the next keys while the values are used.
                var line = 0
                while line < 2 * elementBytes {
                    prefetch(nextKeys + position * 64 * elementBytes + line * 64)
                    line += 1
                }
                let (a, b, c, d) = valuePairs(
                    values + position * headDimension * elementBytes, isFirst: position >= first && position < last,
                    isSecond: position + 1 >= first && position + 1 < last)
                var h = 0
                while h < count {
                    let factor = trinity_broadcast_pair(weights + h * 64 + s * 32 + position * 2)
                    sums[unchecked: 0][unchecked: h] = trinity_dot_bfloat16(sums[unchecked: 0][unchecked: h], a, factor)
                    sums[unchecked: 1][unchecked: h] = trinity_dot_bfloat16(sums[unchecked: 1][unchecked: h], b, factor)
                    sums[unchecked: 2][unchecked: h] = trinity_dot_bfloat16(sums[unchecked: 2][unchecked: h], c, factor)
                    sums[unchecked: 3][unchecked: h] = trinity_dot_bfloat16(sums[unchecked: 3][unchecked: h], d, factor)
                    h += 1
                }
                position += 2
            }
            s += 1
        }
        v = 0
        while v < 4 {
            var h = 0
            while h < count {
                store16(sums[unchecked: v][unchecked: h], out, h * headDimension + v * 16)
                h += 1
            }
            v += 1
        }
    }

    /// Loads the values of two positions and 64 channels, as pairs of 16 channels each. The numbers of positions that are not
    /// visible are undefined. In E4M3FN all codes are finite and add zero. In bfloat16 they are replaced with zeros.
    @inline(__always)
    private func valuePairs(
        _ values: UnsafeRawPointer, isFirst: Bool, isSecond: Bool
    ) -> (SIMD8<Int64>, SIMD8<Int64>, SIMD8<Int64>, SIMD8<Int64>) {
        let second = values + headDimension * elementBytes
        if isFloat8 {
            let (row, secondRow) = (line(values), line(second))
            let (a, b) = float8Pairs(trinity_lookup(row, trinity_value_order(0), secondRow))
            let (c, d) = float8Pairs(trinity_lookup(row, trinity_value_order(1), secondRow))
            return (a, b, c, d)
        }
        let row = isFirst ? line(values) : .zero
        let rest = isFirst ? line(values + 64) : .zero
        let secondRow = isSecond ? line(second) : .zero
        let secondRest = isSecond ? line(second + 64) : .zero
        return (
            trinity_pair_rows(row, secondRow, 0), trinity_pair_rows(row, secondRow, 1),
            trinity_pair_rows(rest, secondRest, 0), trinity_pair_rows(rest, secondRest, 1)
        )
    }

    @inline(__always)
    private func line(_ pointer: UnsafeRawPointer) -> SIMD8<Int64> {
        pointer.loadUnaligned(as: SIMD8<Int64>.self)
    }

    /// Returns which of the 16 positions starting at `position` belong to the segment.
    @inline(__always)
    private func visible(_ position: Int) -> SIMDMask<SIMD16<Int32>> {
        let lanes = SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
        let first = SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: start &- position))
        let last = SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: end &- position))
        return (lanes .>= first) .& (lanes .< last)
    }
}
