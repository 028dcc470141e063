// y = x W^T with packed weights. A dot product is a sum over panels of at most 128 columns that never cross a border of
// the scales: in a panel one float32 chain of ascending columns, times the scale, added to the panels before. The same
// for any number of tokens; and rows may be split over threads, columns never.

extension Kernels {
    /// Output rows of 16-row blocks `firstBlock ..< firstBlock + blocks`, weights float32 in lines of 1 column (P16x1).
    ///
    /// - Parameters:
    ///   - weights: blocks of 16 rows; in each, one line of 64 bytes for every 1, 2 or 4 columns
    ///   - scales: (row blocks, scaleColumns, 16)
    ///   - scaleWidth: columns that share a scale; with bfloat16 weights all of them
    ///   - rows, columns: the matrix's shape without padding
    ///   - x: float32 rows of at least `columns` numbers, `xStride` apart
    ///   - xRows: the row of x for each token, or nil for 0 ..< tokens
    ///   - y: (tokens, rows), `yStride` floats from token to token; only the blocks' columns are written
    public static func matmulFloat32(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, rows: Int,
        columns: Int, firstBlock: Int, blocks: Int, x: UnsafeRawPointer, xStride: Int, xRows: UnsafePointer<Int32>?,
        tokens: Int, y: UnsafeMutablePointer<Float>, yStride: Int
    ) {
        let weights = weights.assumingMemoryBound(to: Float.self)
        let x = x.assumingMemoryBound(to: Float.self)
        var block = firstBlock
        while block < firstBlock + blocks {
            let lines = weights + block * columns * 16
            let blockScales = scales + block * scaleColumns * 16
            let valid = rows - block * 16
            var start = 0
            while start < columns {
                let end = panelEnd(start, columns, scaleWidth)
                multiply(
                    lines + start * 16, end - start, load16(blockScales, start / scaleWidth * 16), x + start, xStride,
                    xRows, tokens, y + block * 16, yStride, valid, isFirst: start == 0)
                start = end
            }
            block += 1
        }
    }

    /// The same with weights in bfloat16, in lines of 2 columns (P16x2).
    public static func matmulBFloat16(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, rows: Int,
        columns: Int, firstBlock: Int, blocks: Int, x: UnsafeRawPointer, xStride: Int, xRows: UnsafePointer<Int32>?,
        tokens: Int, y: UnsafeMutablePointer<Float>, yStride: Int
    ) {
        let x = x.assumingMemoryBound(to: Float.self)
        withPanel { panel in
            var block = firstBlock
            while block < firstBlock + blocks {
                let lines = weights + block * ((columns + 1) / 2) * 64
                let blockScales = scales + block * scaleColumns * 16
                let valid = rows - block * 16
                var start = 0
                while start < columns {
                    let end = panelEnd(start, columns, scaleWidth)
                    decodeBFloat16(lines + start / 2 * 64, (end - start + 1) / 2, panel)
                    multiply(
                        panel, end - start, load16(blockScales, start / scaleWidth * 16), x + start, xStride, xRows,
                        tokens, y + block * 16, yStride, valid, isFirst: start == 0)
                    start = end
                }
                block += 1
            }
        }
    }

    /// The same with weights in E4M3FN, in lines of 4 columns (P16x4).
    public static func matmulFloat8(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, rows: Int,
        columns: Int, firstBlock: Int, blocks: Int, x: UnsafeRawPointer, xStride: Int, xRows: UnsafePointer<Int32>?,
        tokens: Int, y: UnsafeMutablePointer<Float>, yStride: Int
    ) {
        let x = x.assumingMemoryBound(to: Float.self)
        withPanel { panel in
            var block = firstBlock
            while block < firstBlock + blocks {
                let lines = weights + block * ((columns + 3) / 4) * 64
                let blockScales = scales + block * scaleColumns * 16
                let valid = rows - block * 16
                var start = 0
                while start < columns {
                    let end = panelEnd(start, columns, scaleWidth)
                    // A border of the scales need not be one of lines.
                    decodeFloat8(lines + start / 4 * 64, (end + 3) / 4 - start / 4, panel)
                    multiply(
                        panel + start % 4 * 16, end - start, load16(blockScales, start / scaleWidth * 16), x + start,
                        xStride, xRows, tokens, y + block * 16, yStride, valid, isFirst: start == 0)
                    start = end
                }
                block += 1
            }
        }
    }

    /// The next multiple of 128, border of the scales, or end of the row.
    @inline(__always)
    private static func panelEnd(_ start: Int, _ columns: Int, _ scaleWidth: Int) -> Int {
        let panel = (start / 128 + 1) * 128
        let scale = (start / scaleWidth + 1) * scaleWidth
        let end = panel < scale ? panel : scale
        return end < columns ? end : columns
    }

    /// Room for 128 columns, and for the rest of the line that a panel may begin in.
    @inline(__always)
    private static func withPanel(_ body: (UnsafeMutablePointer<Float>) -> Void) {
        var panel = InlineArray<2112, Float>(repeating: 0)
        withUnsafeMutableBytes(of: &panel) { bytes in
            guard let panel = bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            body(panel)
        }
    }

    /// y (+)= (x panel^T) * scales for all tokens, a few at a time: as many as the registers hold.
    @inline(__always)
    private static func multiply(
        _ panel: UnsafePointer<Float>, _ width: Int, _ scales: SIMD16<Float>, _ x: UnsafePointer<Float>, _ xStride: Int,
        _ xRows: UnsafePointer<Int32>?, _ tokens: Int, _ y: UnsafeMutablePointer<Float>, _ yStride: Int, _ valid: Int,
        isFirst: Bool
    ) {
        var token = 0
        while largestTile >= 4 && token + 4 <= tokens {
            let sums = multiply(panel, width, x, rows(token, xRows, xStride, InlineArray<4, Int>(repeating: 0)))
            add(sums, scales, y + token * yStride, yStride, valid, isFirst)
            token += 4
        }
        while token + 2 <= tokens {
            let sums = multiply(panel, width, x, rows(token, xRows, xStride, InlineArray<2, Int>(repeating: 0)))
            add(sums, scales, y + token * yStride, yStride, valid, isFirst)
            token += 2
        }
        if token < tokens {
            let sums = multiply(panel, width, x, rows(token, xRows, xStride, InlineArray<1, Int>(repeating: 0)))
            add(sums, scales, y + token * yStride, yStride, valid, isFirst)
        }
    }

    @inline(__always)
    private static func multiply<let count: Int>(
        _ panel: UnsafePointer<Float>, _ width: Int, _ x: UnsafePointer<Float>, _ rows: InlineArray<count, Int>
    ) -> InlineArray<count, SIMD16<Float>> {
        var sums = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var k = 0
        while k < width {
            let weights = load16(panel, k * 16)
            var t = 0
            while t < count {
                let factor = SIMD16<Float>(repeating: x[rows[unchecked: t] + k])
                sums[unchecked: t] = multiplyAdd(weights, factor, sums[unchecked: t])
                t += 1
            }
            k += 1
        }
        return sums
    }

    /// Where the rows of x of some tokens begin.
    @inline(__always)
    private static func rows<let count: Int>(
        _ token: Int, _ xRows: UnsafePointer<Int32>?, _ xStride: Int, _ tokens: InlineArray<count, Int>
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

    @inline(__always)
    private static func add<let count: Int>(
        _ sums: InlineArray<count, SIMD16<Float>>, _ scales: SIMD16<Float>, _ y: UnsafeMutablePointer<Float>,
        _ yStride: Int, _ valid: Int, _ isFirst: Bool
    ) {
        var t = 0
        while t < count {
            let value = sums[unchecked: t] * scales
            let target = y + t * yStride
            store(isFirst ? value : load(target, 0, count: valid) + value, target, 0, count: valid)
            t += 1
        }
    }

    @inline(__always)
    private static func decodeBFloat16(_ lines: UnsafeRawPointer, _ count: Int, _ panel: UnsafeMutablePointer<Float>) {
        var line = 0
        while line < count {
            let pairs = (lines + line * 64).loadUnaligned(as: SIMD16<UInt32>.self)
            store16(unsafeBitCast(pairs &<< 16, to: SIMD16<Float>.self), panel, line * 32)
            store16(unsafeBitCast(pairs & 0xffff_0000, to: SIMD16<Float>.self), panel, line * 32 + 16)
            line += 1
        }
    }
}
