import KernelInterface

// A product with weights that are decoded to float32 one panel at a time.
//
// A dot product is a sum over panels of at most 128 columns that never cross a boundary of the scales. A panel is one float32 chain
// in ascending order of columns. It is multiplied by the scale and added to the previous panels. This is the same for any number of
// tokens. Rows may be split over threads, but columns never are.

extension LineFormat {
    /// Computes the product panel by panel.
    public static func multiply(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        multiplyPanels(weights, arguments)
    }

    /// The same, for families whose `multiply` computes some cases in another way.
    static func multiplyPanels(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        guard isDecoded else { return multiply(weights, arguments, scratch: nil) }
        // The memory has room for 128 columns, and for the rest of the line in which a panel may begin.
        var scratch = InlineArray<2112, Float>(repeating: 0)
        withUnsafeMutableBytes(of: &scratch) { bytes in
            guard let scratch = bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
            multiply(weights, arguments, scratch: scratch)
        }
    }

    @inline(__always)
    private static func multiply(
        _ weights: PackedWeights, _ arguments: MatmulArguments, scratch: UnsafeMutablePointer<Float>?
    ) {
        let columns = weights.columns
        var block = arguments.firstBlock
        while block < arguments.firstBlock + arguments.blocks {
            let lines = weights.lines + block * blockBytes(columns: columns)
            var start = 0
            while start < columns {
                let end = weights.panelEnd(start)
                let firstLine = start / lineColumns
                let line = lines + firstLine * 64
                let values: UnsafePointer<Float>
                if let scratch {
                    // A boundary of the scales need not be a boundary of lines.
                    decode(line, (end + lineColumns - 1) / lineColumns - firstLine, scratch)
                    values = UnsafePointer(scratch + start % lineColumns * 16)
                } else {
                    values = line.assumingMemoryBound(to: Float.self)
                }
                let panel = Panel(
                    values: values, start: start, width: end - start, row: block * 16, valid: weights.rows - block * 16,
                    scales: weights.scales(block, start))
                multiply(panel, arguments)
                start = end
            }
            block += 1
        }
    }

    /// Computes y (+)= (x panel^T) * scales for all tokens, as many at a time as fit in the registers.
    @inline(__always)
    private static func multiply(_ panel: Panel, _ arguments: MatmulArguments) {
        var token = 0
        while largestTile >= 8 && token + 8 <= arguments.tokens {
            multiply(panel, arguments, token, InlineArray<8, Int>(repeating: 0))
            token += 8
        }
        while largestTile >= 4 && token + 4 <= arguments.tokens {
            multiply(panel, arguments, token, InlineArray<4, Int>(repeating: 0))
            token += 4
        }
        while token + 2 <= arguments.tokens {
            multiply(panel, arguments, token, InlineArray<2, Int>(repeating: 0))
            token += 2
        }
        if token < arguments.tokens { multiply(panel, arguments, token, InlineArray<1, Int>(repeating: 0)) }
    }

    @inline(__always)
    private static func multiply<let count: Int>(
        _ panel: Panel, _ arguments: MatmulArguments, _ token: Int, _ tokens: InlineArray<count, Int>
    ) {
        let x = arguments.x.assumingMemoryBound(to: Float.self) + panel.start
        let offsets = arguments.rowOffsets(token, arguments.xStride, tokens)
        var sums = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var k = 0
        while k < panel.width {
            // A decoded panel is in the L1 cache.
            if !isDecoded { prefetch(panel.values + k * 16 + 1024) }
            let column = load16(panel.values, k * 16)
            var t = 0
            while t < count {
                let factor = SIMD16<Float>(repeating: x[offsets[unchecked: t] + k])
                sums[unchecked: t] = multiplyAdd(column, factor, sums[unchecked: t])
                t += 1
            }
            k += 1
        }
        var t = 0
        while t < count {
            let value = sums[unchecked: t] * panel.scales
            let target = arguments.y + (token + t) * arguments.yStride + panel.row
            let total = panel.start == 0 ? value : load(target, 0, count: panel.valid) + value
            store(total, target, 0, count: panel.valid)
            t += 1
        }
    }
}

/// Some columns of a block of rows, in float32.
private struct Panel {
    /// (width, 16)
    let values: UnsafePointer<Float>
    /// The first column.
    let start: Int
    let width: Int
    /// The first row.
    let row: Int
    /// The number of rows of the matrix from there on, which may be more than 16.
    let valid: Int
    let scales: SIMD16<Float>
}

extension PackedWeights {
    /// Returns the end of the panel that begins at `start`: the next multiple of 128, boundary of the scales, or end of the row.
    @inline(__always)
    func panelEnd(_ start: Int) -> Int {
        let panel = (start / 128 + 1) * 128
        let scale = (start / scaleWidth + 1) * scaleWidth
        let end = panel < scale ? panel : scale
        return end < columns ? end : columns
    }

    /// Returns the scales of the rows of a block in the column `column`.
    @inline(__always)
    func scales(_ block: Int, _ column: Int) -> SIMD16<Float> {
        let place = block * scaleColumns + column / scaleWidth
        return scaleRows == 1 ? SIMD16(repeating: scales[place]) : load16(scales, place * 16)
    }
}

extension MatmulArguments {
    /// Returns the start offsets of `count` tokens' rows of x, which are `stride` apart.
    @inline(__always)
    func rowOffsets<let count: Int>(
        _ token: Int, _ stride: Int, _ tokens: InlineArray<count, Int>
    ) -> InlineArray<count, Int> {
        rowOffsets(token, stride, tokens: count, tokens)
    }

    /// Returns the start offsets of the rows of the first `tokens` tokens, and zeros after them.
    @inline(__always)
    func rowOffsets<let count: Int>(
        _ token: Int, _ stride: Int, tokens: Int, _ zeros: InlineArray<count, Int>
    ) -> InlineArray<count, Int> {
        var offsets = zeros
        var t = 0
        while t < tokens {
            let row = if let xRows { Int(xRows[token + t]) } else { token + t }
            offsets[unchecked: t] = row * stride
            t += 1
        }
        return offsets
    }
}
