
// y = x W^T with packed weights. A dot product is a sum over panels of at most 128 columns that never cross a border of
// the scales: in a panel one float32 chain of ascending columns, times the scale, added to the panels before. The same
// for any number of tokens; and rows may be split over threads, columns never.

extension Portable {
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

    /// y (+)= (x panel^T) * scales for all tokens, two at a time: that is what sixteen 128-bit registers hold.
    @inline(__always)
    private static func multiply(
        _ panel: UnsafePointer<Float>, _ width: Int, _ scales: SIMD16<Float>, _ x: UnsafePointer<Float>, _ xStride: Int,
        _ xRows: UnsafePointer<Int32>?, _ tokens: Int, _ y: UnsafeMutablePointer<Float>, _ yStride: Int, _ valid: Int,
        isFirst: Bool
    ) {
        var token = 0
        while token + 2 <= tokens {
            let x0 = x + row(token, xRows) * xStride
            let x1 = x + row(token + 1, xRows) * xStride
            var sum0 = SIMD16<Float>.zero
            var sum1 = SIMD16<Float>.zero
            var k = 0
            while k < width {
                let weights = load16(panel, k * 16)
                sum0 = weights * x0[k] + sum0
                sum1 = weights * x1[k] + sum1
                k += 1
            }
            add(sum0 * scales, y + token * yStride, valid, isFirst)
            add(sum1 * scales, y + (token + 1) * yStride, valid, isFirst)
            token += 2
        }
        if token < tokens {
            let x0 = x + row(token, xRows) * xStride
            var sum0 = SIMD16<Float>.zero
            var k = 0
            while k < width {
                sum0 = load16(panel, k * 16) * x0[k] + sum0
                k += 1
            }
            add(sum0 * scales, y + token * yStride, valid, isFirst)
        }
    }

    @inline(__always)
    private static func row(_ token: Int, _ xRows: UnsafePointer<Int32>?) -> Int {
        if let xRows { Int(xRows[token]) } else { token }
    }

    @inline(__always)
    private static func add(_ value: SIMD16<Float>, _ y: UnsafeMutablePointer<Float>, _ valid: Int, _ isFirst: Bool) {
        let total = isFirst ? value : load(y, 0, count: valid) + value
        store(total, y, 0, count: valid)
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

    @inline(__always)
    private static func decodeFloat8(_ lines: UnsafeRawPointer, _ count: Int, _ panel: UnsafeMutablePointer<Float>) {
        var line = 0
        while line < count {
            var quarter = 0
            while quarter < 4 {
                let source = lines + line * 64 + quarter * 16
                let target = panel + line * 64 + quarter * 4
                decodePairs(source.loadUnaligned(as: SIMD4<UInt16>.self), target)
                decodePairs((source + 8).loadUnaligned(as: SIMD4<UInt16>.self), target + 32)
                quarter += 1
            }
            line += 1
        }
    }

    /// Two columns of four rows.
    @inline(__always)
    private static func decodePairs(_ pairs: SIMD4<UInt16>, _ target: UnsafeMutablePointer<Float>) {
        let wide = unsafeBitCast(SIMD4<UInt32>(truncatingIfNeeded: pairs), to: SIMD4<Int32>.self)
        let target = UnsafeMutableRawPointer(target)
        target.storeBytes(of: decodeHighByte(wide &<< 24), as: SIMD4<Float>.self)
        target.storeBytes(of: decodeHighByte(wide &<< 16), toByteOffset: 64, as: SIMD4<Float>.self)
    }

    /// E4M3FN in the top byte. Sign, exponent and fraction moved to their float32 places are the value times 2^-120,
    /// also for subnormals; the product with 2^120 is exact.
    @inline(__always)
    private static func decodeHighByte(_ bits: SIMD4<Int32>) -> SIMD4<Float> {
        let mask = Int32(bitPattern: 0x87f0_0000)
        return unsafeBitCast((bits &>> 4) & mask, to: SIMD4<Float>.self) * 0x1p120
    }
}
