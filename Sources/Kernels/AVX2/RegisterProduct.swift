import CIntrinsics
import KernelInterface

// The product of few tokens with weights that are decoded in registers. Writing decoded panels to memory would take longer than
// their products. The order of additions is that of `PanelProduct`, so the results are equal in bits.

/// A format whose codes are decoded in registers.
protocol RegisterFormat: LineFormat {
    /// Decodes four columns of eight rows.
    ///
    /// - Parameters:
    ///   - codes: The lines of the four columns.
    ///   - half: 0 for the first eight rows of the block, 1 for the others.
    static func fourColumns(_ codes: UnsafeRawPointer, half: Int) -> FourColumns
}

typealias FourColumns = (SIMD8<Float>, SIMD8<Float>, SIMD8<Float>, SIMD8<Float>)

extension AVX2.Float8Weights: RegisterFormat {
    /// Computes the product for rows of x in float32.
    public static func multiply(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        multiplyInRegisters(weights, arguments)
    }

    @inline(__always)
    static func fourColumns(_ codes: UnsafeRawPointer, half: Int) -> FourColumns {
        let quarters = (codes + half * 32).loadUnaligned(as: SIMD4<Int64>.self)
        let (a, b) = float8Columns(trinity_widen_low_pairs(quarters))
        let (c, d) = float8Columns(trinity_widen_high_pairs(quarters))
        return (a, b, c, d)
    }
}

extension AVX2.BFloat16Weights: RegisterFormat {
    /// Computes the product for rows of x in float32.
    public static func multiply(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        multiplyInRegisters(weights, arguments)
    }

    @inline(__always)
    static func fourColumns(_ codes: UnsafeRawPointer, half: Int) -> FourColumns {
        let (a, b) = twoColumns(codes + half * 32)
        let (c, d) = twoColumns(codes + half * 32 + 64)
        return (a, b, c, d)
    }

    @inline(__always)
    private static func twoColumns(_ codes: UnsafeRawPointer) -> (SIMD8<Float>, SIMD8<Float>) {
        let pairs = codes.loadUnaligned(as: SIMD8<UInt32>.self)
        return (
            unsafeBitCast(pairs &<< 16, to: SIMD8<Float>.self),
            unsafeBitCast(pairs & 0xffff_0000, to: SIMD8<Float>.self)
        )
    }
}

extension RegisterFormat {
    @inline(__always)
    fileprivate static func multiplyInRegisters(_ weights: PackedWeights, _ arguments: MatmulArguments) {
        // Panels consist of whole groups of four columns.
        guard weights.columns % 4 == 0 && (weights.scaleColumns == 1 || weights.scaleWidth % 4 == 0) else {
            multiplyPanels(weights, arguments)
            return
        }
        switch arguments.tokens {
        case 1: stream(weights, arguments, InlineArray<1, Int>(repeating: 0))
        case 2: stream(weights, arguments, InlineArray<2, Int>(repeating: 0))
        case 3: stream(weights, arguments, InlineArray<3, Int>(repeating: 0))
        default: multiplyPanels(weights, arguments)
        }
    }

    /// Multiplies one block of rows at a time. For one token, two blocks hide the latency of their chains.
    @inline(__always)
    private static func stream<let count: Int>(
        _ weights: PackedWeights, _ arguments: MatmulArguments, _ tokens: InlineArray<count, Int>
    ) {
        let offsets = arguments.rowOffsets(0, arguments.xStride, tokens)
        let end = arguments.firstBlock + arguments.blocks
        var block = arguments.firstBlock
        while count == 1 && block + 2 <= end {
            multiply(weights, arguments, block, InlineArray<2, Bool>(repeating: false), offsets)
            block += 2
        }
        while block < end {
            multiply(weights, arguments, block, InlineArray<1, Bool>(repeating: false), offsets)
            block += 1
        }
    }

    /// Multiplies `height` blocks of rows.
    @inline(__always)
    private static func multiply<let height: Int, let count: Int>(
        _ weights: PackedWeights, _ arguments: MatmulArguments, _ block: Int, _ blocks: InlineArray<height, Bool>,
        _ offsets: InlineArray<count, Int>
    ) {
        let blockBytes = blockBytes(columns: weights.columns)
        let codes = weights.lines + block * blockBytes
        let zeros = InlineArray<height, InlineArray<count, SIMD8<Float>>>(repeating: InlineArray(repeating: .zero))
        var start = 0
        while start < weights.columns {
            let end = weights.panelEnd(start)
            var (lower, upper) = (zeros, zeros)
            // At the end of a row, the lines ahead are those of the next blocks.
            let isInNextBlocks = start * 16 * elementBytes + ahead >= blockBytes
            let distance = ahead + (isInNextBlocks ? (height - 1) * blockBytes : 0)
            var k = start
            while k < end {
                let x = arguments.x.assumingMemoryBound(to: Float.self) + k
                var b = 0
                while b < height {
                    let codes = codes + b * blockBytes + k * 16 * elementBytes
                    prefetch(codes + distance)
                    if elementBytes == 2 { prefetch(codes + distance + 64) }
                    addProducts(fourColumns(codes, half: 0), x, offsets, &lower[unchecked: b])
                    addProducts(fourColumns(codes, half: 1), x, offsets, &upper[unchecked: b])
                    b += 1
                }
                k += 4
            }
            var b = 0
            while b < height {
                let scales = weights.scales(block + b, start)
                let valid = weights.rows - (block + b) * 16
                var t = 0
                while t < count {
                    let value =
                        SIMD16(lowHalf: lower[unchecked: b][unchecked: t], highHalf: upper[unchecked: b][unchecked: t])
                        * scales
                    let y = arguments.y + t * arguments.yStride + (block + b) * 16
                    store(start == 0 ? value : load(y, 0, count: valid) + value, y, 0, count: valid)
                    t += 1
                }
                b += 1
            }
            start = end
        }
    }

    /// Adds the products of four columns to the sums of each token.
    @inline(__always)
    private static func addProducts<let count: Int>(
        _ columns: FourColumns, _ x: UnsafePointer<Float>, _ offsets: InlineArray<count, Int>,
        _ sums: inout InlineArray<count, SIMD8<Float>>
    ) {
        var t = 0
        while t < count {
            let x = x + offsets[unchecked: t]
            var sum = sums[unchecked: t]
            sum.addProduct(columns.0, SIMD8(repeating: x[0]))
            sum.addProduct(columns.1, SIMD8(repeating: x[1]))
            sum.addProduct(columns.2, SIMD8(repeating: x[2]))
            sum.addProduct(columns.3, SIMD8(repeating: x[3]))
            sums[unchecked: t] = sum
            t += 1
        }
    }
}
