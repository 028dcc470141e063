import CIntrinsics
import KernelInterface

// The products of this family with bfloat16 and float8 weights, for rows of x that are encoded as `bfloat16Pairs`. Scales must
// change only at multiples of four columns.

extension NEONBF16.BFloat16Weights {
    public static var activations: ActivationFormat { .bfloat16Pairs }

    /// Multiplies rows of x that are encoded as pairs of bfloat16 numbers.
    public static func multiply(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        PackedProduct<2, 2>(weights: weights, arguments: arguments).run()
    }

    /// Multiplies rows of x using only the first number of each pair.
    public static func multiplyRounded(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        PackedProduct<2, 1>(weights: weights, arguments: arguments).run()
    }
}

extension NEONBF16.Float8Weights {
    public static var activations: ActivationFormat { .bfloat16Pairs }

    /// Multiplies rows of x that are encoded as pairs of bfloat16 numbers.
    public static func multiply(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        PackedProduct<4, 2>(weights: weights, arguments: arguments).run()
    }

    /// Multiplies rows of x using only the first number of each pair.
    public static func multiplyRounded(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        PackedProduct<4, 1>(weights: weights, arguments: arguments).run()
    }
}

/// The product y = x W^T with packed weights and encoded rows of x.
///
/// As in all families, a dot product is a sum over panels of at most 128 columns that never cross a boundary of the scales. In a
/// panel, pairs of columns are added to one chain in ascending order, with the rounding of `bfdot` (Arm Architecture Reference
/// Manual, BFDotAdd: to odd, denormals are zeros). The low halves of exact activations have a separate chain. The sum of the
/// chains, multiplied by the scale, is added to the previous panels. `bfmmla` adds two pairs of columns in the same order with the
/// same rounding, so two tokens at once give the same bits as one token alone.
private struct PackedProduct<let lineColumns: Int, let terms: Int> {
    let weights: PackedWeights
    let arguments: MatmulArguments

    @inline(__always)
    func run() {
        let columns = weights.columns
        let blockBytes = (columns + lineColumns - 1) / lineColumns * 64
        var block = arguments.firstBlock
        while block < arguments.firstBlock + arguments.blocks {
            let lines = weights.lines + block * blockBytes
            var start = 0
            while start < columns {
                let end = weights.panelEnd(start)
                // Decoded float8 numbers are multiplied by 2^-8.
                let unit: Float = lineColumns == 4 ? 256 : 1
                let panel = Panel(
                    lines: lines + start / lineColumns * 64, start: start, width: end - start, row: block * 16,
                    valid: weights.rows - block * 16, scales: weights.scales(block, start) * unit)
                multiply(panel)
                start = end
            }
            block += 1
        }
    }

    @inline(__always)
    private func multiply(_ panel: Panel) {
        var token = 0
        // These numbers of tokens leave registers for weights. Two tokens have eight sums for each term.
        while terms == 1 && token + 4 <= arguments.tokens {
            multiply(panel, token, InlineArray<4, Int>(repeating: 0), InlineArray<2, Int>(repeating: 0))
            token += 4
        }
        while token + 2 <= arguments.tokens {
            multiply(panel, token, InlineArray<2, Int>(repeating: 0), InlineArray<1, Int>(repeating: 0))
            token += 2
        }
        if token < arguments.tokens { multiplyAlone(panel, token) }
    }

    /// Multiplies pairs of tokens. A register of sums has two rows: the first and the second token of the first row, then of the
    /// second row.
    @inline(__always)
    private func multiply<let count: Int, let pairs: Int>(
        _ panel: Panel, _ token: Int, _ tokens: InlineArray<count, Int>, _ zeros: InlineArray<pairs, Int>
    ) {
        let offsets = arguments.rowOffsets(token, arguments.xStride * 2, tokens)
        let none = InlineArray<pairs, InlineArray<4, SIMD8<Float>>>(repeating: InlineArray(repeating: .zero))
        var (sums, lowSums) = (none, none)
        var column = 0
        while column < panel.width {
            var quarter = 0
            while quarter < 4 {
                let (first, second) = quarterPairs(panel, column, quarter)
                let upper = trinity_interleave_low_pairs(first, second)
                let lower = trinity_interleave_high_pairs(first, second)
                var pair = 0
                while pair < pairs {
                    let x = arguments.x + (panel.start + column) * 2
                    let (a, b) = (x + offsets[unchecked: pair * 2], x + offsets[unchecked: pair * 2 + 1])
                    add(upper, lower, fourColumns(a, b), &sums[unchecked: pair][unchecked: quarter])
                    if terms == 2 {
                        let low = fourColumns(a + arguments.xStride, b + arguments.xStride)
                        add(upper, lower, low, &lowSums[unchecked: pair][unchecked: quarter])
                    }
                    pair += 1
                }
                quarter += 1
            }
            column += 4
        }
        var pair = 0
        while pair < pairs {
            let high = sums[unchecked: pair]
            let low = lowSums[unchecked: pair]
            let (a, b, c, d) = (
                total(high[unchecked: 0], low[unchecked: 0]), total(high[unchecked: 1], low[unchecked: 1]),
                total(high[unchecked: 2], low[unchecked: 2]), total(high[unchecked: 3], low[unchecked: 3])
            )
            add(joined(a.evenHalf, b.evenHalf, c.evenHalf, d.evenHalf), panel, token + pair * 2)
            add(joined(a.oddHalf, b.oddHalf, c.oddHalf, d.oddHalf), panel, token + pair * 2 + 1)
            pair += 1
        }
    }

    @inline(__always)
    private func multiplyAlone(_ panel: Panel, _ token: Int) {
        let offset = arguments.rowOffsets(token, arguments.xStride * 2, InlineArray<1, Int>(repeating: 0))[unchecked: 0]
        var sums = InlineArray<4, SIMD4<Float>>(repeating: .zero)
        var lowSums = sums
        var column = 0
        while column < panel.width {
            let x = arguments.x + offset + (panel.start + column) * 2
            var quarter = 0
            while quarter < 4 {
                let (first, second) = quarterPairs(panel, column, quarter)
                sums[unchecked: quarter] = trinity_dot_four(
                    sums[unchecked: quarter], first, second, x.loadUnaligned(as: SIMD4<UInt16>.self))
                if terms == 2 {
                    let low = (x + arguments.xStride).loadUnaligned(as: SIMD4<UInt16>.self)
                    lowSums[unchecked: quarter] = trinity_dot_four(lowSums[unchecked: quarter], first, second, low)
                }
                quarter += 1
            }
            column += 4
        }
        let high = joined(sums[unchecked: 0], sums[unchecked: 1], sums[unchecked: 2], sums[unchecked: 3])
        let low = joined(lowSums[unchecked: 0], lowSums[unchecked: 1], lowSums[unchecked: 2], lowSums[unchecked: 3])
        add(terms == 2 ? high + low : high, panel, token)
    }

    /// Loads columns `column ..< column + 2` and the next two columns of four rows. The second line is zeros if the matrix ends
    /// before it, for one token as for two.
    @inline(__always)
    private func quarterPairs(_ panel: Panel, _ column: Int, _ quarter: Int) -> (SIMD8<UInt16>, SIMD8<UInt16>) {
        let line = panel.lines + column / lineColumns * 64 + quarter * 16
        if quarter == 0 { prefetch(line + 4096) }
        if lineColumns == 4 {
            let codes = line.loadUnaligned(as: SIMD16<Int8>.self)
            return (
                trinity_bfloat16_from_halves(trinity_float8_low_halves(codes)),
                trinity_bfloat16_from_halves(trinity_float8_high_halves(codes))
            )
        }
        let first = line.loadUnaligned(as: SIMD8<UInt16>.self)
        if column + 2 >= panel.width { return (first, .zero) }
        return (first, (line + 64).loadUnaligned(as: SIMD8<UInt16>.self))
    }

    /// Loads four columns of two tokens.
    @inline(__always)
    private func fourColumns(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> SIMD8<UInt16> {
        SIMD8(lowHalf: a.loadUnaligned(as: SIMD4<UInt16>.self), highHalf: b.loadUnaligned(as: SIMD4<UInt16>.self))
    }

    /// Adds the products of four rows and two tokens.
    @inline(__always)
    private func add(
        _ upper: SIMD8<UInt16>, _ lower: SIMD8<UInt16>, _ x: SIMD8<UInt16>, _ sums: inout SIMD8<Float>
    ) {
        sums = SIMD8(
            lowHalf: trinity_multiply_matrices(sums.lowHalf, upper, x),
            highHalf: trinity_multiply_matrices(sums.highHalf, lower, x))
    }

    @inline(__always)
    private func total(_ high: SIMD8<Float>, _ low: SIMD8<Float>) -> SIMD8<Float> {
        terms == 2 ? high + low : high
    }

    /// Adds the panel's contribution to a token's results.
    @inline(__always)
    private func add(_ sums: SIMD16<Float>, _ panel: Panel, _ token: Int) {
        let target = arguments.y + token * arguments.yStride + panel.row
        let value = sums * panel.scales
        let total = panel.start == 0 ? value : load(target, 0, count: panel.valid) + value
        store(total, target, 0, count: panel.valid)
    }
}

/// A panel: some columns of a block of rows.
private struct Panel {
    /// The line of the first column.
    let lines: UnsafeRawPointer
    /// The first column, a multiple of four.
    let start: Int
    let width: Int
    /// The first row.
    let row: Int
    /// The number of rows of the matrix from there on, which may be more than 16.
    let valid: Int
    let scales: SIMD16<Float>
}
