import CIntrinsics
import KernelInterface

// The products of this family with bfloat16 and float8 weights, for rows of x that are encoded as `bfloat16Pairs`. Scales must
// change only at the boundaries of lines.

extension AVX512.BFloat16Weights {
    public static var activations: ActivationFormat { .bfloat16Pairs }

    /// Multiplies rows of x that are encoded as pairs of bfloat16 numbers.
    public static func multiply(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        PackedProduct<2, 2>(weights: weights, arguments: arguments, tileBlocks: 1).run()
    }

    /// Multiplies rows of x using only the first number of each pair.
    public static func multiplyRounded(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        PackedProduct<2, 1>(weights: weights, arguments: arguments, tileBlocks: 2).run()
    }
}

extension AVX512.Float8Weights {
    public static var activations: ActivationFormat { .bfloat16Pairs }

    /// Multiplies rows of x that are encoded as pairs of bfloat16 numbers.
    public static func multiply(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        PackedProduct<4, 2>(weights: weights, arguments: arguments, tileBlocks: 1).run()
    }

    /// Multiplies rows of x using only the first number of each pair.
    public static func multiplyRounded(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        multiplyRounded(weights, arguments, tileBlocks: trinity_has_half_width_avx512() != 0 ? 1 : 2)
    }

    /// The same with tiles of one block of rows by eight tokens, or of two blocks by five tokens. The results have the same bits.
    ///
    /// Two blocks share each number of x that is loaded, but decode twice as many weights for fewer products. On Zen 4, one block
    /// is faster, perhaps because permutations and products use the same execution unit.
    package static func multiplyRounded(_ weights: PackedWeights, _ arguments: MatmulArguments, tileBlocks: Int) {
        PackedProduct<4, 1>(weights: weights, arguments: arguments, tileBlocks: tileBlocks).run()
    }
}

/// The product y = x W^T with packed weights and encoded rows of x.
///
/// As in all families, a dot product is a sum over panels of at most 128 columns that never cross a boundary of the scales. In a
/// panel, pairs of columns are added to two chains in ascending order: even pairs to one and odd pairs to the other. The low halves
/// of exact activations have two separate chains. The sum of the chains ((even + odd) + (low even + low odd)), multiplied by the
/// scale, is added to the previous panels. This is the same for any number of tokens.
private struct PackedProduct<let lineColumns: Int, let terms: Int> {
    let weights: PackedWeights
    let arguments: MatmulArguments
    /// The largest number of blocks of rows in a tile of many tokens: 1, or 2 for rounded activations.
    let tileBlocks: Int

    /// The stride between rows of x in bytes. The low halves begin in the middle of a row.
    private var xStride: Int {
        @inline(__always) get { arguments.xStride * 2 }
    }
    private var isFloat8: Bool {
        @inline(__always) get { lineColumns == 4 }
    }
    private var isPair: Bool {
        @inline(__always) get { terms == 2 }
    }

    @inline(__always)
    func run() {
        // These numbers of tokens leave registers for weights, chains and row addresses.
        switch arguments.tokens {
        case 1: stream(InlineArray<1, Int>(repeating: 0))
        case 2: stream(InlineArray<2, Int>(repeating: 0))
        case 3: stream(InlineArray<3, Int>(repeating: 0))
        case 4: stream(InlineArray<4, Int>(repeating: 0))
        case 5: stream(InlineArray<5, Int>(repeating: 0))
        case 6 where !isPair: stream(InlineArray<6, Int>(repeating: 0))
        case 7 where !isPair: stream(InlineArray<7, Int>(repeating: 0))
        case 8 where !isPair: stream(InlineArray<8, Int>(repeating: 0))
        default: runTiles()
        }
    }

    private var endBlock: Int {
        @inline(__always) get { arguments.firstBlock + arguments.blocks }
    }

    /// Computes the product for few tokens. Reads the weights as one sequential stream and decodes them in registers.
    @inline(__always)
    private func stream<let count: Int>(_ tokens: InlineArray<count, Int>) {
        let offsets = offsets(0, tokens)
        var scratch = InlineArray<128, Float>(repeating: 0)
        withUnsafeMutableBytes(of: &scratch) { bytes in
            guard let scratch = bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            // Rows of y may share a set of the L1 cache.
            let from = Sums(base: scratch, stride: 16)
            var block = arguments.firstBlock
            while block < endBlock {
                var start = 0
                while start < weights.columns {
                    let panel = panel(block, start, height: 1)
                    let into = panel.end == weights.columns ? output(0, block) : from
                    multiply(panel, One(repeating: 0), offsets, from, into)
                    start = panel.end
                }
                block += 1
            }
        }
    }

    /// Computes the product for many tokens tile by tile, for as many tokens at a time as the L1 cache can hold sums of. Decoding
    /// float8 again for each tile costs less than writing a decoded panel to memory.
    @inline(__always)
    private func runTiles() {
        var scratch = InlineArray<2048, Float>(repeating: 0)
        withUnsafeMutableBytes(of: &scratch) { bytes in
            guard let scratch = bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            var token = 0
            // The sums of 128 tokens of one block, or of 64 tokens of two. Exact rows of x are twice as long.
            let most = isPair || tileBlocks == 2 ? 64 : 128
            while token < arguments.tokens {
                let end = token + most < arguments.tokens ? token + most : arguments.tokens
                var block = arguments.firstBlock
                while block < endBlock {
                    // Two blocks of rows are computed at once if there are enough registers, so that a number of x is loaded once
                    // for both.
                    let height = !isPair && tileBlocks == 2 && block + 2 <= endBlock ? 2 : 1
                    var start = 0
                    while start < weights.columns {
                        let panel = panel(block, start, height: height)
                        if height == 2 {
                            multiplyTiles(panel, Two(repeating: 0), token, end, scratch)
                        } else {
                            multiplyTiles(panel, One(repeating: 0), token, end, scratch)
                        }
                        start = panel.end
                    }
                    block += height
                }
                token = end
            }
        }
    }

    @inline(__always)
    private func multiplyTiles<let height: Int>(
        _ panel: Panel, _ blocks: InlineArray<height, Int>, _ firstToken: Int, _ endToken: Int,
        _ scratch: UnsafeMutablePointer<Float>
    ) {
        var token = firstToken
        while token < endToken {
            let count = tileSize(endToken - token, isPair || height == 2 ? 5 : 8)
            let from = Sums(base: scratch + (token - firstToken) * 16 * height, stride: 16 * height)
            let into = panel.end == weights.columns ? output(token, panel.block) : from
            switch count {
            case 8 where height == 1:
                multiply(panel, blocks, offsets(token, InlineArray<8, Int>(repeating: 0)), from, into)
            case 7 where height == 1:
                multiply(panel, blocks, offsets(token, InlineArray<7, Int>(repeating: 0)), from, into)
            case 6 where height == 1:
                multiply(panel, blocks, offsets(token, InlineArray<6, Int>(repeating: 0)), from, into)
            case 5:
                multiply(panel, blocks, offsets(token, InlineArray<5, Int>(repeating: 0)), from, into)
            case 4:
                multiply(panel, blocks, offsets(token, InlineArray<4, Int>(repeating: 0)), from, into)
            case 3:
                multiply(panel, blocks, offsets(token, InlineArray<3, Int>(repeating: 0)), from, into)
            case 2:
                multiply(panel, blocks, offsets(token, InlineArray<2, Int>(repeating: 0)), from, into)
            default:
                multiply(panel, blocks, offsets(token, InlineArray<1, Int>(repeating: 0)), from, into)
            }
            token += count
        }
    }

    /// Returns the size of the next tile, at most 5 or 8, such that all tiles have nearly equal sizes. The latency of the chains
    /// would limit a small last tile.
    @inline(__always)
    private func tileSize(_ left: Int, _ most: Int) -> Int {
        if most == 5 {
            // The next tile would wait for a division. The digits are the sizes for 16 tokens down to one.
            let sizes: UInt64 = 0x4555_4455_4435_4321
            return left > 16 ? 5 : Int(truncatingIfNeeded: sizes &>> UInt64(truncatingIfNeeded: left * 4 - 4) & 15)
        }
        let tiles = (left + most - 1) / most
        return (left + tiles - 1) / tiles
    }

    private typealias One = InlineArray<1, Int>
    private typealias Two = InlineArray<2, Int>

    /// The sums of a tile. The sum of token t and row r is at `t * stride + r`.
    private struct Sums {
        var base: UnsafeMutablePointer<Float>
        var stride: Int
    }

    @inline(__always)
    private func output(_ token: Int, _ block: Int) -> Sums {
        Sums(base: arguments.y + token * arguments.yStride + block * 16, stride: arguments.yStride)
    }

    /// The columns start ..< end of one or two blocks of rows.
    private struct Panel {
        var lines: UnsafeRawPointer
        var block: Int
        var start: Int
        var end: Int
        /// The offset from a line to the line to prefetch.
        var ahead: Int
    }

    @inline(__always)
    private func panel(_ block: Int, _ start: Int, height: Int) -> Panel {
        let end = weights.panelEnd(start)
        // Measured in docs/benchmarks-log.md: for tiles of two blocks, the longer distance is not faster.
        let distance = height == 1 ? 8192 : 4096
        let isInNextBlocks = start + distance / 64 * lineColumns >= weights.columns
        return Panel(
            lines: weights.lines + block * blockBytes + start / lineColumns * 64, block: block, start: start, end: end,
            ahead: distance + (isInNextBlocks ? (height - 1) * blockBytes : 0))
    }

    private var blockBytes: Int {
        @inline(__always) get { (weights.columns + lineColumns - 1) / lineColumns * 64 }
    }

    /// Computes into = from + (x panel^T) * scales for `height` blocks of rows and `count` tokens. `from` is ignored for the first
    /// panel.
    @inline(__always)
    private func multiply<let height: Int, let count: Int>(
        _ panel: Panel, _ blocks: InlineArray<height, Int>, _ offsets: InlineArray<count, Int>, _ from: Sums,
        _ into: Sums
    ) {
        let width = panel.end - panel.start
        let x = arguments.x + panel.start * 2
        let low = x + xStride / 2
        let zeros = InlineArray<height, InlineArray<count, SIMD16<Float>>>(repeating: InlineArray(repeating: .zero))
        var even = zeros
        var odd = zeros
        var lowEven = zeros
        var lowOdd = zeros

        let quads = isFloat8 ? (width + 3) / 4 : (width + 1) / 4
        var quad = 0
        while quad < quads {
            var pairs = InlineArray<height, (SIMD8<Int64>, SIMD8<Int64>)>(repeating: (.zero, .zero))
            var b = 0
            while b < height {
                let line = panel.lines + b * blockBytes + quad * (isFloat8 ? 64 : 128)
                if isFloat8 {
                    trinity_prefetch(line + panel.ahead)
                    pairs[unchecked: b] = float8Pairs(loadLine(line))
                } else {
                    trinity_prefetch(line + panel.ahead)
                    trinity_prefetch(line + panel.ahead + 64)
                    pairs[unchecked: b] = (loadLine(line), loadLine(line + 64))
                }
                b += 1
            }
            var t = 0
            while t < count {
                let place = offsets[unchecked: t] + quad * 8
                b = 0
                while b < height {
                    even[unchecked: b][unchecked: t] = dot(
                        even[unchecked: b][unchecked: t], pairs[unchecked: b].0, x + place)
                    odd[unchecked: b][unchecked: t] = dot(
                        odd[unchecked: b][unchecked: t], pairs[unchecked: b].1, x + place + 4)
                    if isPair {
                        lowEven[unchecked: b][unchecked: t] = dot(
                            lowEven[unchecked: b][unchecked: t], pairs[unchecked: b].0, low + place)
                        lowOdd[unchecked: b][unchecked: t] = dot(
                            lowOdd[unchecked: b][unchecked: t], pairs[unchecked: b].1, low + place + 4)
                    }
                    b += 1
                }
                t += 1
            }
            quad += 1
        }
        // A last pair of columns at the end of the matrix.
        if !isFloat8 && quads * 4 < width {
            var b = 0
            while b < height {
                let pair = loadLine(panel.lines + b * blockBytes + quads * 128)
                var t = 0
                while t < count {
                    let place = offsets[unchecked: t] + quads * 8
                    even[unchecked: b][unchecked: t] = dot(even[unchecked: b][unchecked: t], pair, x + place)
                    if isPair {
                        lowEven[unchecked: b][unchecked: t] = dot(
                            lowEven[unchecked: b][unchecked: t], pair, low + place)
                    }
                    t += 1
                }
                b += 1
            }
        }

        var b = 0
        while b < height {
            let block = panel.block + b
            let scale = weights.scales(block, panel.start)
            let valid = weights.rows - block * 16
            let mask = valid >= 16 ? 0xffff : UInt16(truncatingIfNeeded: 1 &<< valid &- 1)
            let before = panel.start > 0 ? mask : 0
            var t = 0
            while t < count {
                var total = even[unchecked: b][unchecked: t] + odd[unchecked: b][unchecked: t]
                if isPair {
                    total = total + (lowEven[unchecked: b][unchecked: t] + lowOdd[unchecked: b][unchecked: t])
                }
                total = total * scale + trinity_load_masked(from.base + t * from.stride + b * 16, before)
                trinity_store_masked(total, into.base + t * into.stride + b * 16, mask)
                t += 1
            }
            b += 1
        }
    }

    @inline(__always)
    private func dot(_ sum: SIMD16<Float>, _ weights: SIMD8<Int64>, _ x: UnsafeRawPointer) -> SIMD16<Float> {
        trinity_dot_bfloat16(sum, weights, trinity_broadcast_pair(x))
    }

    @inline(__always)
    private func loadLine(_ pointer: UnsafeRawPointer) -> SIMD8<Int64> {
        pointer.loadUnaligned(as: SIMD8<Int64>.self)
    }

    /// Returns the start offsets of some tokens' rows of x in bytes.
    @inline(__always)
    private func offsets<let count: Int>(_ token: Int, _ tokens: InlineArray<count, Int>) -> InlineArray<count, Int> {
        arguments.rowOffsets(token, xStride, tokens)
    }
}
