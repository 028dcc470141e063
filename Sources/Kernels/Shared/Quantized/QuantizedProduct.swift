import KernelInterface

// The product y = x W^T with quantized weights and rows of x encoded in integers.
//
// Sums of products of integers are exact in a run, which is a group of columns, so their order does not matter. All other
// operations have this order, for any number of tokens:
//
//     of each run:      s = I * scale + s,  with I the integers' sum, minus the offset or zero point times the sum of x
//                       t = S * minimum + t,  with S the sum of x
//     of each segment:  w = s;  w = s * superscale - t * superminimum;  or w = s + t
//                       total = w * scale of x + total
//
// and at the end the row factor. A product and an addition are one `multiplyAdd`. With three terms, I and S are 65536 g + (256 h +
// l), also one `multiplyAdd`. s and t are zero at the start of each segment. Columns are never split over threads.

extension Kernels {
    /// Implements the requirement of `KernelFamily`, with the code for the kind of codes.
    public static func multiply(
        _ weights: PackedQuantizedWeights, _ arguments: MatmulArguments, terms: Int
    ) {
        switch weights.format.codes {
        case .uint4, .int4: NibbleCodes.multiply(weights, arguments, terms: terms)
        case .e2m1: E2M1Codes.multiply(weights, arguments, terms: terms)
        case .iq4: IQ4Codes.multiply(weights, arguments, terms: terms)
        case .uint5, .int5: FiveBitCodes.multiply(weights, arguments, terms: terms)
        case .int6: SixBitCodes.multiply(weights, arguments, terms: terms)
        case .uint8, .int8: ByteCodes.multiply(weights, arguments, terms: terms)
        }
    }
}

extension IntegerCodes {
    @inline(__always)
    fileprivate static func multiply(_ weights: PackedQuantizedWeights, _ arguments: MatmulArguments, terms: Int) {
        let product = QuantizedProduct(weights, arguments, terms: terms)
        switch terms {
        case 1: multiply(product, InlineArray<1, Bool>(repeating: false))
        case 2: multiply(product, InlineArray<2, Bool>(repeating: false))
        default: multiply(product, InlineArray<3, Bool>(repeating: false))
        }
    }

    private static func multiply<let terms: Int>(_ product: QuantizedProduct, _ bytes: InlineArray<terms, Bool>) {
        // The memory for up to eight tokens is on the stack.
        guard product.arguments.tokens > 8 else {
            var memory = InlineArray<108, SIMD16<Float>>(repeating: .zero)
            withUnsafeMutableBytes(of: &memory) { memory in
                guard let base = memory.baseAddress else { return }
                multiply(product, bytes, base)
            }
            return
        }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: tileMemoryBytes, alignment: 64)
        multiply(product, bytes, memory)
        memory.deallocate()
    }

    private static func multiply<let terms: Int>(
        _ product: QuantizedProduct, _ bytes: InlineArray<terms, Bool>, _ memory: TileMemory
    ) {
        let arguments = product.arguments
        let endBlock = arguments.firstBlock + arguments.blocks
        let hasPanels = arguments.tokens >= Self.panelTokens
        // Computes as many tokens at a time as the L2 cache can hold together with some blocks of weights.
        let most = product.layout.bytes * chunkTokens <= 768 &<< 10 ? chunkTokens : chunkTokens / 2
        var token = 0
        while token < arguments.tokens {
            let end = token + most < arguments.tokens ? token + most : arguments.tokens
            var block = arguments.firstBlock
            while block < endBlock {
                // Two blocks are computed at once, so that a number of x is loaded once for both.
                let height = arguments.tokens >= tallTokens && block + 2 <= endBlock ? 2 : 1
                multiply(product, block, height, token, end, hasPanels, bytes, memory)
                block += height
            }
            token = end
        }
    }

    /// Computes one or two blocks of rows, 256 columns at a time. The codes are decoded into panels or in each tile.
    @inline(__always)
    private static func multiply<let terms: Int>(
        _ product: QuantizedProduct, _ block: Int, _ height: Int, _ token: Int, _ end: Int, _ hasPanels: Bool,
        _ bytes: InlineArray<terms, Bool>, _ memory: TileMemory
    ) {
        var place = 0
        while place < end - token {
            memory.token(place).setTotal(0, .zero)
            memory.token(place).setTotal(1, .zero)
            place += 1
        }
        var cursor = product.weights.blocks + block * product.blockBytes
        var column = 0
        while column < product.columns {
            let last = column + 256 < product.columns ? column + 256 : product.columns
            // At the end of two blocks, the lines ahead are those of the next two.
            let isInNextBlocks = column + product.aheadColumns >= product.columns
            let distance = height == 1 ? ahead : product.aheadBytes + (isInNextBlocks ? product.blockBytes : 0)
            let sections = cursor + (product.hasSuperBlocks ? 64 : 0)
            var b = 0
            while b < height {
                Kernels.decodeHeaders(
                    cursor + b * product.blockBytes, distance: distance, columns: last - column, memory.headers(b),
                    scales: product.scaleKind, minima: product.minima, hasSuperBlocks: product.hasSuperBlocks,
                    groupShift: product.groupShift, sectionMask: product.sectionMask,
                    sectionBytes: product.sectionBytes, headerBytes: product.headerBytes)
                if hasPanels {
                    unpack(product, sections + b * product.blockBytes, distance, column, last, memory.panel(b))
                }
                b += 1
            }
            if hasPanels && height == 2 {
                PanelCodes.multiplyTall(product, memory.panel(0), 4096, 0, column, token, end, bytes, memory)
            } else if hasPanels {
                PanelCodes.multiplyLow(product, memory.panel(0), column, token, end, bytes, memory)
            } else if height == 2 {
                multiplyTall(product, sections, product.blockBytes, distance, column, token, end, bytes, memory)
            } else {
                multiplyLow(product, sections, column, token, end, bytes, memory)
            }
            cursor = sections + 256 / (product.sectionMask + 1) * product.sectionBytes
            column += 256
        }
        while place > 0 {
            place -= 1
            let y = product.arguments.y + (token + place) * product.arguments.yStride
            var b = 0
            while b < height {
                let row = (block + b) * 16
                let total = memory.token(place).total(b) * SIMD16<Float>(repeating: product.unit)
                store(
                    Kernels.scaled(total, product.weights, block + b), y, row, count: product.weights.rows - row)
                b += 1
            }
        }
    }

    /// Decodes the codes of up to 256 columns.
    @inline(__always)
    private static func unpack(
        _ product: QuantizedProduct, _ lines: UnsafeRawPointer, _ distance: Int, _ column: Int, _ end: Int,
        _ panel: UnsafeMutableRawPointer
    ) {
        var (cursor, target, column) = (lines, panel, column)
        while column < end {
            let columns = column + product.sectionMask < end ? product.sectionMask + 1 : end - column
            unpack(cursor + product.headerBytes, distance: distance, columns: columns, into: target)
            cursor += product.sectionBytes
            target += columns * 16
            column += columns
        }
    }

    /// Computes the tokens of one block of rows.
    @inline(__always)
    private static func multiplyLow<let terms: Int>(
        _ product: QuantizedProduct, _ lines: UnsafeRawPointer, _ column: Int, _ token: Int, _ end: Int,
        _ bytes: InlineArray<terms, Bool>, _ memory: TileMemory
    ) {
        let low = InlineArray<1, Bool>(repeating: false)
        var next = token
        @inline(__always)
        func tile<let count: Int>(_ zeros: InlineArray<count, Int>) {
            Self.tile(product, lines, 0, 0, column, next, next - token, memory, bytes, low, zeros)
            next += count
        }
        while next < end {
            let (left, most) = (end - next, largestIntegerTile(terms: terms))
            switch left < most ? left : most {
            case 4...: tile(InlineArray<4, Int>(repeating: 0))
            case 2...: tile(InlineArray<2, Int>(repeating: 0))
            default: tile(InlineArray<1, Int>(repeating: 0))
            }
        }
    }

    /// Computes the tokens of two blocks of rows, whose lines are `lineBytes` apart.
    @inline(__always)
    private static func multiplyTall<let terms: Int>(
        _ product: QuantizedProduct, _ lines: UnsafeRawPointer, _ lineBytes: Int, _ distance: Int, _ column: Int,
        _ token: Int, _ end: Int, _ bytes: InlineArray<terms, Bool>, _ memory: TileMemory
    ) {
        let tall = InlineArray<2, Bool>(repeating: false)
        var next = token
        @inline(__always)
        func tile<let count: Int>(_ zeros: InlineArray<count, Int>) {
            Self.tile(product, lines, lineBytes, distance, column, next, next - token, memory, bytes, tall, zeros)
            next += count / 2
        }
        while next < end {
            switch tallTile(end - next, atMost: largestTallTile(terms: terms)) {
            case 5 where terms == 1: tile(InlineArray<10, Int>(repeating: 0))
            case 4...: tile(InlineArray<8, Int>(repeating: 0))
            case 3: tile(InlineArray<6, Int>(repeating: 0))
            case 2: tile(InlineArray<4, Int>(repeating: 0))
            default: tile(InlineArray<2, Int>(repeating: 0))
            }
        }
    }
}

extension IntegerCodes {
    /// Adds up to 256 columns from `column` on to the totals, for `height` blocks of rows and count / height tokens. The sum of
    /// block b and token t is at `b * tokens + t`.
    ///
    /// - Parameters:
    ///   - lines: The codes, with the headers of sections unless they are a panel.
    ///   - lineBytes: The stride between blocks in bytes.
    ///   - distance: The distance from a line to the line that is prefetched with it, if there are two blocks.
    ///   - token: The first token.
    ///   - place: The index of that token in `memory`.
    fileprivate static func tile<let terms: Int, let height: Int, let count: Int>(
        _ product: QuantizedProduct, _ lines: UnsafeRawPointer, _ lineBytes: Int, _ distance: Int, _ column: Int,
        _ token: Int, _ place: Int, _ memory: TileMemory, _ bytes: InlineArray<terms, Bool>,
        _ blocks: InlineArray<height, Bool>, _ zeros: InlineArray<count, Int>
    ) {
        let (tokens, x) = (count / height, product.arguments.x)
        let offsets = product.arguments.rowOffsets(token, product.arguments.xStride, tokens: tokens, zeros)
        let next = token + 2 * tokens <= product.arguments.tokens ? token + tokens : token
        let nextOffsets = product.arguments.rowOffsets(next, product.arguments.xStride, tokens: tokens, zeros)
        let totals = memory.token(place)
        let offset = SIMD16<Int32>(repeating: 0 &- product.offset)
        let (runColumns, distance) = (product.runColumns, height == 2 ? distance : ahead)
        let last = column + 256 < product.columns ? column + 256 : product.columns
        var cursor = lines
        var column = column
        var group = 0
        while column < last {
            // A segment of 128 columns.
            let end = column + 128 < last ? column + 128 : last
            var firstGroup = group
            let segmentSums = product.layout.sumsOffset + column &>> 7 * 64
            let firstSum = segmentSums + product.firstSum * 4
            var sumPlace = firstSum
            if height == 2 && (product.storesCorrections || product.hasMinima) {
                memory.setSums(
                    x + segmentSums, offsets, tokens: tokens, terms: terms, upperBytes: product.layout.sumsBytes,
                    offset: product.offset, hasMinima: product.hasMinima)
            }
            var scaled = InlineArray<count, SIMD16<Float>>(repeating: .zero)
            while column < end {
                if !isPanel && column & product.sectionMask == 0 { cursor += product.headerBytes }

                // The sums of products with the bytes l, h and g of x.
                var l = InlineArray<count, SIMD16<Int32>>(repeating: .zero)
                var h = InlineArray<count, SIMD16<Int32>>(repeating: .zero)
                var g = InlineArray<count, SIMD16<Int32>>(repeating: .zero)
                var t = 0
                if height == 2 && product.storesCorrections {
                    while t < count {
                        let sums = memory.sums(t % tokens)
                        l[unchecked: t] = sums.correction(sumPlace - segmentSums)
                        if terms > 2 { g[unchecked: t] = sums.upperCorrection(sumPlace - segmentSums) }
                        t += 1
                    }
                } else if product.offset != 0 || product.hasZeroPoints {
                    while t < count {
                        let sums = x + offsets[unchecked: t % tokens] + sumPlace
                        let factor = product.hasZeroPoints ? memory.headers(t / tokens).zeroPoints(group) : offset
                        l[unchecked: t] = factor &* SIMD16(repeating: sums.load(as: Int32.self))
                        if terms > 2 {
                            let upper = sums.load(fromByteOffset: product.layout.sumsBytes, as: Int32.self)
                            g[unchecked: t] = factor &* SIMD16(repeating: upper)
                        }
                        t += 1
                    }
                }
                add(
                    cursor, blockBytes: lineBytes, distance: distance, blocks, columns: runColumns, x: x + column,
                    termBytes: product.layout.termBytes, offsets, bytes, &l, &h, &g)
                cursor += runColumns * bits * 2

                t = 0
                while t < count {
                    var low = l[unchecked: t]
                    if terms > 1 { low = low &+ h[unchecked: t] &<< 8 }
                    var integer = floatLanes(low)
                    if terms > 2 {
                        integer = multiplyAdd(
                            floatLanes(g[unchecked: t]), SIMD16<Float>(repeating: 65536), integer)
                    }
                    scaled[unchecked: t] = multiplyAdd(
                        integer, memory.headers(t / tokens).scale(group), scaled[unchecked: t])
                    t += 1
                }
                if isPanel && column & 63 == 0 {
                    Kernels.prefetchLines(
                        x + column, nextOffsets, tokens: tokens, terms: terms, termBytes: product.layout.termBytes)
                }
                column += runColumns
                group += 1
                sumPlace += 4
            }
            let scalePlace = product.layout.scalesOffset + (column &- 1) &>> 7 * 4
            var t = 0
            if product.hasMinima {
                var minima = InlineArray<count, SIMD16<Float>>(repeating: .zero)
                sumPlace = firstSum
                while firstGroup < group {
                    t = 0
                    while t < count {
                        let factor =
                            height == 2
                            ? memory.sums(t % tokens).sum(sumPlace - segmentSums)
                            : Kernels.groupSum(
                                x + offsets[unchecked: t % tokens] + sumPlace, terms: terms,
                                upperBytes: product.layout.sumsBytes)
                        minima[unchecked: t] = multiplyAdd(
                            memory.headers(t / tokens).minimum(firstGroup), factor, minima[unchecked: t])
                        t += 1
                    }
                    firstGroup += 1
                    sumPlace += 4
                }
                t = 0
                while t < count {
                    let headers = memory.headers(t / tokens)
                    scaled[unchecked: t] =
                        product.hasSuperBlocks
                        ? multiplyAdd(
                            SIMD16<Float>.zero - minima[unchecked: t], headers.superMinimum,
                            scaled[unchecked: t] * headers.superScale)
                        : scaled[unchecked: t] + minima[unchecked: t]
                    t += 1
                }
            } else if product.hasSuperBlocks {
                t = 0
                while t < count {
                    scaled[unchecked: t] = scaled[unchecked: t] * memory.headers(t / tokens).superScale
                    t += 1
                }
            }
            t = 0
            while t < count {
                let xScale = (x + offsets[unchecked: t % tokens] + scalePlace).load(as: Float.self)
                (totals + t % tokens * 128).addToTotal(t / tokens, scaled[unchecked: t], xScale)
                t += 1
            }
        }
    }
}

/// The operands of a product, and the properties of its format that the loops use.
private struct QuantizedProduct {
    let weights: PackedQuantizedWeights
    let arguments: MatmulArguments
    let layout: IntegerRowLayout
    /// The number of columns, in whole runs, that both the packed rows and x have.
    let columns: Int
    let blockBytes: Int
    /// The number of columns of a section minus one.
    let sectionMask: Int
    let sectionBytes: Int
    let headerBytes: Int
    let hasSuperBlocks: Bool
    /// The distance to the lines that are prefetched if two blocks are computed at once, a multiple of 256 columns.
    let aheadColumns, aheadBytes: Int
    let runColumns: Int
    let groupShift: Int
    let scaleKind: QuantizedFormat.Scales
    let minima: QuantizedFormat.Minima
    let hasMinima: Bool
    let hasZeroPoints: Bool
    let offset: Int32
    /// Whether tiles of two blocks store the corrections by the offset for a segment. This pays if the groups are many.
    let storesCorrections: Bool
    /// The index of the first sum of a segment over as many columns as a run has.
    let firstSum: Int
    /// The unit of the codes' integers and of the decoded scales, a power of two.
    let unit: Float

    @inline(__always)
    init(_ weights: PackedQuantizedWeights, _ arguments: MatmulArguments, terms: Int) {
        let format = weights.format
        self.weights = weights
        self.arguments = arguments
        layout = IntegerRowLayout(columns: weights.columns, terms: terms)
        let (packed, encoded) = (format.packedColumns(weights.columns), layout.termBytes)
        columns = packed < encoded ? packed : encoded
        blockBytes = format.blockBytes(columns: weights.columns)
        sectionMask = format.sectionColumns - 1
        sectionBytes = format.sectionBytes
        headerBytes = format.headerBytes
        hasSuperBlocks = format.hasSuperBlocks
        let stepBytes = 256 / format.sectionColumns * format.sectionBytes + (format.hasSuperBlocks ? 64 : 0)
        // Whole steps, so that no line of the next blocks is left out.
        let steps = (ahead + stepBytes - 1) / stepBytes
        (aheadColumns, aheadBytes) = (steps * 256, steps * stepBytes)
        runColumns = format.groupColumns
        groupShift = format.groupColumns.trailingZeroBitCount
        scaleKind = format.scales
        minima = format.minima
        (hasMinima, hasZeroPoints) = (minima == .float16 || minima == .uint8, minima == .zeroPoint)
        offset = format.codes.offset
        storesCorrections = offset != 0 && !hasZeroPoints && runColumns <= 32
        firstSum = runColumns == 16 ? 0 : runColumns == 32 ? 8 : runColumns == 64 ? 12 : 14
        unit = (format.codes == .e2m1 ? 0.5 : 1) * (format.scales == .float8 ? 256 : 1)
    }
}
