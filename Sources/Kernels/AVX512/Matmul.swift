import CIntrinsics

// The products of this set; how one is computed is written at `PackedProduct`. Parameters as in `Portable`, but
// rows of x are encoded by `encode`, `xStride` counts their elements, and the second terms begin in the middle of a
// row. Borders of the scales must be borders of lines.

extension AVX512 {
    /// Weights bfloat16, x bfloat16.
    public static func matmulBFloat16(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, rows: Int,
        columns: Int, firstBlock: Int, blocks: Int, x: UnsafeRawPointer, xStride: Int, xRows: UnsafePointer<Int32>?,
        tokens: Int, y: UnsafeMutablePointer<Float>, yStride: Int
    ) {
        PackedProduct<2, 1>(
            weights: weights, scales: scales, scaleColumns: scaleColumns, scaleWidth: scaleWidth, rows: rows,
            columns: columns, x: x, xStride: xStride * 2, xRows: xRows, tokens: tokens, y: y, yStride: yStride
        ).run(firstBlock, firstBlock + blocks)
    }

    /// Weights bfloat16, x a pair of bfloat16.
    public static func matmulBFloat16Exact(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, rows: Int,
        columns: Int, firstBlock: Int, blocks: Int, x: UnsafeRawPointer, xStride: Int, xRows: UnsafePointer<Int32>?,
        tokens: Int, y: UnsafeMutablePointer<Float>, yStride: Int
    ) {
        PackedProduct<2, 2>(
            weights: weights, scales: scales, scaleColumns: scaleColumns, scaleWidth: scaleWidth, rows: rows,
            columns: columns, x: x, xStride: xStride * 2, xRows: xRows, tokens: tokens, y: y, yStride: yStride
        ).run(firstBlock, firstBlock + blocks)
    }

    /// Weights E4M3FN, x bfloat16.
    public static func matmulFloat8(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, rows: Int,
        columns: Int, firstBlock: Int, blocks: Int, x: UnsafeRawPointer, xStride: Int, xRows: UnsafePointer<Int32>?,
        tokens: Int, y: UnsafeMutablePointer<Float>, yStride: Int
    ) {
        PackedProduct<4, 1>(
            weights: weights, scales: scales, scaleColumns: scaleColumns, scaleWidth: scaleWidth, rows: rows,
            columns: columns, x: x, xStride: xStride * 2, xRows: xRows, tokens: tokens, y: y, yStride: yStride
        ).run(firstBlock, firstBlock + blocks)
    }

    /// Weights E4M3FN, x a pair of bfloat16.
    public static func matmulFloat8Exact(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, rows: Int,
        columns: Int, firstBlock: Int, blocks: Int, x: UnsafeRawPointer, xStride: Int, xRows: UnsafePointer<Int32>?,
        tokens: Int, y: UnsafeMutablePointer<Float>, yStride: Int
    ) {
        PackedProduct<4, 2>(
            weights: weights, scales: scales, scaleColumns: scaleColumns, scaleWidth: scaleWidth, rows: rows,
            columns: columns, x: x, xStride: xStride * 2, xRows: xRows, tokens: tokens, y: y, yStride: yStride
        ).run(firstBlock, firstBlock + blocks)
    }
}

/// y = x W^T with packed weights and encoded rows of x.
///
/// Like everywhere, a dot product is a sum over panels of at most 128 columns that never cross a border of the
/// scales. In a panel, pairs of columns are added to two chains, even pairs to one and odd pairs to the other, in
/// ascending order; the low halves of exact activations have two chains of their own. The chains' sum ((even + odd)
/// + (low even + low odd)) times the scale is added to the panels before. The same for any number of tokens.
private struct PackedProduct<let lineColumns: Int, let terms: Int> {
    let weights: UnsafeRawPointer
    let scales: UnsafePointer<Float>
    let scaleColumns: Int
    let scaleWidth: Int
    let rows: Int
    let columns: Int
    let x: UnsafeRawPointer
    /// Bytes; the low halves begin in the middle.
    let xStride: Int
    let xRows: UnsafePointer<Int32>?
    let tokens: Int
    let y: UnsafeMutablePointer<Float>
    let yStride: Int

    private var isFloat8: Bool {
        @inline(__always) get { lineColumns == 4 }
    }
    private var isPair: Bool {
        @inline(__always) get { terms == 2 }
    }

    @inline(__always)
    func run(_ firstBlock: Int, _ endBlock: Int) {
        // As many tokens as leave registers for weights beside their chains, and for the addresses of their rows.
        if isPair {
            switch tokens {
            case 1: stream(firstBlock, endBlock, InlineArray<1, Int>(repeating: 0))
            case 2: stream(firstBlock, endBlock, InlineArray<2, Int>(repeating: 0))
            case 3: stream(firstBlock, endBlock, InlineArray<3, Int>(repeating: 0))
            case 4: stream(firstBlock, endBlock, InlineArray<4, Int>(repeating: 0))
            case 5: stream(firstBlock, endBlock, InlineArray<5, Int>(repeating: 0))
            default: runTiles(firstBlock, endBlock)
            }
        } else {
            switch tokens {
            case 1: stream(firstBlock, endBlock, InlineArray<1, Int>(repeating: 0))
            case 2: stream(firstBlock, endBlock, InlineArray<2, Int>(repeating: 0))
            case 3: stream(firstBlock, endBlock, InlineArray<3, Int>(repeating: 0))
            case 4: stream(firstBlock, endBlock, InlineArray<4, Int>(repeating: 0))
            case 5: stream(firstBlock, endBlock, InlineArray<5, Int>(repeating: 0))
            case 6: stream(firstBlock, endBlock, InlineArray<6, Int>(repeating: 0))
            case 7: stream(firstBlock, endBlock, InlineArray<7, Int>(repeating: 0))
            case 8: stream(firstBlock, endBlock, InlineArray<8, Int>(repeating: 0))
            default: runTiles(firstBlock, endBlock)
            }
        }
    }

    /// Few tokens: the weights as one sequential stream, decoded in registers.
    @inline(__always)
    private func stream<let count: Int>(_ firstBlock: Int, _ endBlock: Int, _ tokens: InlineArray<count, Int>) {
        let offsets = rowOffsets(0, tokens)
        var block = firstBlock
        while block < endBlock {
            var start = 0
            while start < columns {
                let panel = panel(block, start, height: 1)
                let sums = output(0, block)
                multiply(panel, One(repeating: 0), offsets, sums, sums)
                start = panel.end
            }
            block += 1
        }
    }

    /// Many tokens: tile by tile, for as many at a time as the first cache holds the sums of. Decoding float8 anew for
    /// each tile costs less than writing a decoded panel to memory, since products and table lookups run side by side.
    @inline(__always)
    private func runTiles(_ firstBlock: Int, _ endBlock: Int) {
        var scratch = InlineArray<2048, Float>(repeating: 0)
        withUnsafeMutableBytes(of: &scratch) { bytes in
            guard let scratch = bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            var token = 0
            while token < tokens {
                let end = token + 64 < tokens ? token + 64 : tokens
                var block = firstBlock
                while block < endBlock {
                    // Two blocks of rows at once, where registers allow it: a number of x is loaded once for both.
                    let height = !isPair && block + 2 <= endBlock ? 2 : 1
                    var start = 0
                    while start < columns {
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
            let from = Sums(base: scratch + (token - firstToken) * 32, stride: 32)
            let into = panel.end == columns ? output(token, panel.block) : from
            switch count {
            case 8 where height == 1:
                multiply(panel, blocks, rowOffsets(token, InlineArray<8, Int>(repeating: 0)), from, into)
            case 7 where height == 1:
                multiply(panel, blocks, rowOffsets(token, InlineArray<7, Int>(repeating: 0)), from, into)
            case 6 where height == 1:
                multiply(panel, blocks, rowOffsets(token, InlineArray<6, Int>(repeating: 0)), from, into)
            case 5:
                multiply(panel, blocks, rowOffsets(token, InlineArray<5, Int>(repeating: 0)), from, into)
            case 4:
                multiply(panel, blocks, rowOffsets(token, InlineArray<4, Int>(repeating: 0)), from, into)
            case 3:
                multiply(panel, blocks, rowOffsets(token, InlineArray<3, Int>(repeating: 0)), from, into)
            case 2:
                multiply(panel, blocks, rowOffsets(token, InlineArray<2, Int>(repeating: 0)), from, into)
            default:
                multiply(panel, blocks, rowOffsets(token, InlineArray<1, Int>(repeating: 0)), from, into)
            }
            token += count
        }
    }

    /// Tiles of nearly equal size: a small one at the end would wait for its chains.
    @inline(__always)
    private func tileSize(_ left: Int, _ most: Int) -> Int {
        let tiles = (left + most - 1) / most
        return (left + tiles - 1) / tiles
    }

    private typealias One = InlineArray<1, Int>
    private typealias Two = InlineArray<2, Int>

    /// Sums of a tile: of token t and row r at `t * stride + r`.
    private struct Sums {
        var base: UnsafeMutablePointer<Float>
        var stride: Int
    }

    @inline(__always)
    private func output(_ token: Int, _ block: Int) -> Sums {
        Sums(base: y + token * yStride + block * 16, stride: yStride)
    }

    /// Columns start ..< end of one or two blocks of rows.
    private struct Panel {
        var lines: UnsafeRawPointer
        var block: Int
        var start: Int
        var end: Int
        /// Where to find, from a line, the one that will be wanted 4 KB of weights later.
        var ahead: Int
    }

    @inline(__always)
    private func panel(_ block: Int, _ start: Int, height: Int) -> Panel {
        let end = panelEnd(start)
        let isInNextBlocks = start + 4096 / 64 * lineColumns >= columns
        return Panel(
            lines: lines(block, start), block: block, start: start, end: end,
            ahead: 4096 + (isInNextBlocks ? (height - 1) * blockBytes : 0))
    }

    private var blockBytes: Int {
        @inline(__always) get { (columns + lineColumns - 1) / lineColumns * 64 }
    }

    /// into = from + (x panel^T) * scales, from only if the panel is not the first, for `height` blocks of rows and
    /// `count` tokens.
    @inline(__always)
    private func multiply<let height: Int, let count: Int>(
        _ panel: Panel, _ blocks: InlineArray<height, Int>, _ offsets: InlineArray<count, Int>, _ from: Sums,
        _ into: Sums
    ) {
        let width = panel.end - panel.start
        let x = x + panel.start * 2
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
        // One pair of columns more, at the end of the matrix.
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
            let scale = load16(scales, (block * scaleColumns + panel.start / scaleWidth) * 16)
            let valid = rows - block * 16
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

    /// Where the rows of x of some tokens begin, in bytes.
    @inline(__always)
    private func rowOffsets<let count: Int>(
        _ token: Int, _ tokens: InlineArray<count, Int>
    ) -> InlineArray<count, Int> {
        var offsets = tokens
        var t = 0
        while t < count {
            let row = if let xRows { Int(xRows[token + t]) } else { token + t }
            offsets[unchecked: t] = row * xStride
            t += 1
        }
        return offsets
    }

    /// The line in which a panel of a block begins.
    @inline(__always)
    private func lines(_ block: Int, _ start: Int) -> UnsafeRawPointer {
        weights + (block * ((columns + lineColumns - 1) / lineColumns) + start / lineColumns) * 64
    }

    /// The next multiple of 128, border of the scales, or end of the row.
    @inline(__always)
    private func panelEnd(_ start: Int) -> Int {
        let panel = (start / 128 + 1) * 128
        let scale = (start / scaleWidth + 1) * scaleWidth
        let end = panel < scale ? panel : scale
        return end < columns ? end : columns
    }
}
