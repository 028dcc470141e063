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
                let end = panelEnd(start)
                multiply(lines(block, start), end - start, block, start, 0, offsets)
                start = end
            }
            block += 1
        }
    }

    /// Many tokens: tile by tile, for as many at a time as the cache holds the rows of x of. Decoding float8 anew for
    /// each tile costs less than writing a decoded panel to memory, since products and table lookups run side by side.
    @inline(__always)
    private func runTiles(_ firstBlock: Int, _ endBlock: Int) {
        let most = Self.cachedNumbers / columns
        let chunk = most < 48 ? 48 : most
        var token = 0
        while token < tokens {
            let end = token + chunk < tokens ? token + chunk : tokens
            var block = firstBlock
            while block < endBlock {
                var start = 0
                while start < columns {
                    let width = panelEnd(start) - start
                    multiplyTiles(lines(block, start), width, block, start, token, end)
                    start += width
                }
                block += 1
            }
            token = end
        }
    }

    /// Numbers of x that are walked through for each block: 256 KB of the second cache.
    private static var cachedNumbers: Int {
        @inline(__always) get { 1 << 17 }
    }

    @inline(__always)
    private func multiplyTiles(
        _ source: UnsafeRawPointer, _ width: Int, _ block: Int, _ start: Int, _ firstToken: Int, _ endToken: Int
    ) {
        let most = isPair ? 5 : 8
        var token = firstToken
        while token < endToken {
            let left = endToken - token
            // Tiles of nearly equal size: a small one at the end would wait for its chains.
            let tiles = (left + most - 1) / most
            let count = (left + tiles - 1) / tiles
            switch count {
            case 8: tile(source, width, block, start, token, InlineArray<8, Int>(repeating: 0))
            case 7: tile(source, width, block, start, token, InlineArray<7, Int>(repeating: 0))
            case 6: tile(source, width, block, start, token, InlineArray<6, Int>(repeating: 0))
            case 5: tile(source, width, block, start, token, InlineArray<5, Int>(repeating: 0))
            case 4: tile(source, width, block, start, token, InlineArray<4, Int>(repeating: 0))
            case 3: tile(source, width, block, start, token, InlineArray<3, Int>(repeating: 0))
            case 2: tile(source, width, block, start, token, InlineArray<2, Int>(repeating: 0))
            default: tile(source, width, block, start, token, InlineArray<1, Int>(repeating: 0))
            }
            token += count
        }
    }

    @inline(__always)
    private func tile<let count: Int>(
        _ source: UnsafeRawPointer, _ width: Int, _ block: Int, _ start: Int, _ token: Int,
        _ tokens: InlineArray<count, Int>
    ) {
        multiply(source, width, block, start, token, rowOffsets(token, tokens))
    }

    /// y (+)= (x panel^T) * scales for `count` tokens.
    @inline(__always)
    private func multiply<let count: Int>(
        _ source: UnsafeRawPointer, _ width: Int, _ block: Int, _ start: Int, _ token: Int,
        _ offsets: InlineArray<count, Int>
    ) {
        let tables = Float8Tables()
        let x = x + start * 2
        let low = x + xStride / 2
        var even = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var odd = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var lowEven = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var lowOdd = InlineArray<count, SIMD16<Float>>(repeating: .zero)

        let quads = isFloat8 ? (width + 3) / 4 : (width + 1) / 4
        var quad = 0
        while quad < quads {
            var pairs = (SIMD8<Int64>.zero, SIMD8<Int64>.zero)
            if isFloat8 {
                trinity_prefetch(source + quad * 64 + 4096)
                pairs = tables.decode(source + quad * 64)
            } else {
                pairs = (loadLine(source + quad * 128), loadLine(source + quad * 128 + 64))
            }
            var t = 0
            while t < count {
                let place = offsets[unchecked: t] + quad * 8
                even[unchecked: t] = dot(even[unchecked: t], pairs.0, x + place)
                odd[unchecked: t] = dot(odd[unchecked: t], pairs.1, x + place + 4)
                if isPair {
                    lowEven[unchecked: t] = dot(lowEven[unchecked: t], pairs.0, low + place)
                    lowOdd[unchecked: t] = dot(lowOdd[unchecked: t], pairs.1, low + place + 4)
                }
                t += 1
            }
            quad += 1
        }
        // One pair of columns more, at the end of the matrix.
        if !isFloat8 && quads * 4 < width {
            let pair = loadLine(source + quads * 128)
            var t = 0
            while t < count {
                let place = offsets[unchecked: t] + quads * 8
                even[unchecked: t] = dot(even[unchecked: t], pair, x + place)
                if isPair { lowEven[unchecked: t] = dot(lowEven[unchecked: t], pair, low + place) }
                t += 1
            }
        }

        let scale = load16(scales, (block * scaleColumns + start / scaleWidth) * 16)
        let valid = rows - block * 16
        let mask = valid >= 16 ? 0xffff : UInt16(truncatingIfNeeded: 1 &<< valid &- 1)
        let before = start > 0 ? mask : 0
        var t = 0
        while t < count {
            var total = even[unchecked: t] + odd[unchecked: t]
            if isPair { total = total + (lowEven[unchecked: t] + lowOdd[unchecked: t]) }
            let target = y + (token + t) * yStride + block * 16
            total = total * scale + trinity_load_masked(target, before)
            trinity_store_masked(total, target, mask)
            t += 1
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

/// The two tables that turn E4M3FN codes into bfloat16, in registers.
private struct Float8Tables {
    let lowFirst = trinity_float8_table(0, 0)
    let lowSecond = trinity_float8_table(0, 1)
    let highFirst = trinity_float8_table(1, 0)
    let highSecond = trinity_float8_table(1, 1)
    let sign = SIMD8<Int64>(repeating: Int64(bitPattern: 0x8080_8080_8080_8080))

    @inline(__always)
    init() {}

    /// A line as the even and the odd pair of columns of each row.
    @inline(__always)
    func decode(_ line: UnsafeRawPointer) -> (SIMD8<Int64>, SIMD8<Int64>) {
        let codes = line.loadUnaligned(as: SIMD8<Int64>.self)
        let low = trinity_lookup(lowFirst, codes, lowSecond)
        let high = trinity_or_masked(trinity_lookup(highFirst, codes, highSecond), codes, sign)
        return (trinity_interleave_low(low, high), trinity_interleave_high(low, high))
    }
}
