import KernelInterface

// y = x W^T with quantized weights and rows of x encoded in integers.
//
// Sums of products of integers are exact in a run, a group of columns or the 128 columns of a segment of a longer group, so their
// order does not matter. Everything else has this order, for any number of tokens:
//
//     of each run:      s = I * scale + s,  with I the integers' sum, minus the offset or zero point times the sum of x
//                       t = S * minimum + t,  with S the sum of x
//     of each segment:  w = s;  w = s * superscale - t * superminimum;  or w = s + t
//                       total = w * scale of x + total
//
// and at the end the row factor. A product and an addition are one `multiplyAdd`. With three terms, I and S are 65536 g + (256 h
// + l), also one `multiplyAdd`. s and t begin at zero in each segment. No column is split over threads.

extension Kernels {
    /// As `KernelFamily` describes, with the code for the kind of codes.
    public static func multiply(
        _ weights: PackedQuantizedWeights, _ arguments: MatmulArguments, terms: Int
    ) {
        switch weights.format.codes {
        case .uint4, .int4: NibbleCodes.multiply(weights, arguments, terms: terms)
        case .e2m1: E2M1Codes.multiply(weights, arguments, terms: terms)
        case .iq4: IQ4Codes.multiply(weights, arguments, terms: terms)
        case .uint5, .int5: FiveBitCodes.multiply(weights, arguments, terms: terms)
        case .int6: SixBitCodes.multiply(weights, arguments, terms: terms)
        case .int8: ByteCodes.multiply(weights, arguments, terms: terms)
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

    /// Block after block of rows, each for as many tokens at a time as fit the registers. Decoding the codes again for each tile
    /// costs less than writing them to memory.
    private static func multiply<let terms: Int>(_ product: QuantizedProduct, _ bytes: InlineArray<terms, Bool>) {
        var scratch = InlineArray<84, SIMD16<Float>>(repeating: .zero)
        withUnsafeMutableBytes(of: &scratch) { memory in
            guard let base = memory.baseAddress else { return }
            multiply(product, bytes, base)
        }
    }

    @inline(__always)
    private static func multiply<let terms: Int>(
        _ product: QuantizedProduct, _ bytes: InlineArray<terms, Bool>, _ headers: TileHeaders
    ) {
        let arguments = product.arguments
        let endBlock = arguments.firstBlock + arguments.blocks
        // As many tokens at a time as the L2 cache can hold together with some blocks of weights.
        var token = 0
        while token < arguments.tokens {
            let end = token + 64 < arguments.tokens ? token + 64 : arguments.tokens
            var block = arguments.firstBlock
            while block < endBlock {
                // Two blocks at once, if there are enough registers: a number of x is loaded once for both.
                let height = hasTallTiles && block + 2 <= endBlock ? 2 : 1
                var next = token
                while height == 2 && next + tallTile(terms: terms) <= end {
                    if terms == 3 {
                        tile(product, block, next, bytes, headers, tall, InlineArray<6, Int>(repeating: 0))
                    } else {
                        tile(product, block, next, bytes, headers, tall, InlineArray<8, Int>(repeating: 0))
                    }
                    next += tallTile(terms: terms)
                }
                multiplyRest(product, block, next, end, bytes, headers)
                if height == 2 { multiplyRest(product, block + 1, next, end, bytes, headers) }
                block += height
            }
            token = end
        }
    }

    /// Tokens of one block of rows.
    @inline(__always)
    private static func multiplyRest<let terms: Int>(
        _ product: QuantizedProduct, _ block: Int, _ token: Int, _ end: Int, _ bytes: InlineArray<terms, Bool>,
        _ headers: TileHeaders
    ) {
        var token = token
        while token < end {
            let left = end - token
            let most = largestIntegerTile(terms: terms)
            switch left < most ? left : most {
            case 8...:
                tile(product, block, token, bytes, headers, low, InlineArray<8, Int>(repeating: 0))
                token += 8
            case 4...:
                tile(product, block, token, bytes, headers, low, InlineArray<4, Int>(repeating: 0))
                token += 4
            case 2...:
                tile(product, block, token, bytes, headers, low, InlineArray<2, Int>(repeating: 0))
                token += 2
            default:
                tile(product, block, token, bytes, headers, low, InlineArray<1, Int>(repeating: 0))
                token += 1
            }
        }
    }

    @inline(__always)
    private static var low: InlineArray<1, Bool> { InlineArray(repeating: false) }
    @inline(__always)
    private static var tall: InlineArray<2, Bool> { InlineArray(repeating: false) }

    /// `height` blocks of rows and count / height tokens. A sum of block b and token t is at `b * tokens + t`.
    private static func tile<let terms: Int, let height: Int, let count: Int>(
        _ product: QuantizedProduct, _ block: Int, _ token: Int, _ bytes: InlineArray<terms, Bool>,
        _ headers: TileHeaders, _ blocks: InlineArray<height, Bool>, _ zeros: InlineArray<count, Int>
    ) {
        let tokens = count / height
        let x = product.arguments.x
        let offsets = product.arguments.rowOffsets(token, product.arguments.xStride, tokens: tokens, zeros)
        let runColumns = product.runColumns
        let blockBytes = product.blockBytes
        let offset = SIMD16<Int32>(repeating: 0 &- product.offset)
        var cursor = product.weights.blocks + block * product.blockBytes
        var t = 0
        while t < count {
            headers.setTotal(t, .zero)
            t += 1
        }
        var column = 0
        while column < product.columns {
            // A segment of 128 columns.
            if column & 255 == 0 {
                var b = 0
                while b < height {
                    product.decodeHeaders(cursor + b * blockBytes, column, headers.of(b))
                    b += 1
                }
                if product.hasSuperBlocks { cursor += 64 }
            }
            let end = column + 128 < product.columns ? column + 128 : product.columns
            let scalePlace = product.layout.scalesOffset + column &>> 7 * 4
            var sumPlace = product.layout.sumsOffset + column &>> 7 * 64 + product.firstSum * 4
            var group = (column & 128) &>> product.groupShift
            var scaled = InlineArray<count, SIMD16<Float>>(repeating: .zero)
            t = 0
            while t < count {
                if product.hasMinima { headers.setMinima(t, .zero) }
                t += 1
            }
            while column < end {
                if column & product.sectionMask == 0 { cursor += product.headerBytes }

                // The sums of products with the bytes l, h and g of x.
                var l = InlineArray<count, SIMD16<Int32>>(repeating: .zero)
                var h = InlineArray<count, SIMD16<Int32>>(repeating: .zero)
                var g = InlineArray<count, SIMD16<Int32>>(repeating: .zero)
                t = 0
                while t < count {
                    let xSums = x + offsets[unchecked: t % tokens] + sumPlace
                    let offset = product.hasZeroPoints ? headers.of(t / tokens).zeroPoints(group) : offset
                    l[unchecked: t] = offset &* SIMD16(repeating: xSums.load(as: Int32.self))
                    if terms > 2 {
                        let upper = xSums.load(fromByteOffset: product.layout.sumsBytes, as: Int32.self)
                        g[unchecked: t] = offset &* SIMD16(repeating: upper)
                    }
                    t += 1
                }
                add(
                    cursor, blockBytes: blockBytes, blocks, columns: runColumns, x: x + column,
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
                        integer, headers.of(t / tokens).scale(group), scaled[unchecked: t])
                    t += 1
                }
                if product.hasMinima {
                    t = 0
                    while t < count {
                        let xSums = x + offsets[unchecked: t % tokens] + sumPlace
                        var sum = floatLanes(SIMD16(repeating: xSums.load(as: Int32.self)))
                        if terms > 2 {
                            let upper = xSums.load(fromByteOffset: product.layout.sumsBytes, as: Int32.self)
                            sum = multiplyAdd(
                                floatLanes(SIMD16(repeating: upper)), SIMD16<Float>(repeating: 65536), sum)
                        }
                        let minimum = headers.of(t / tokens).minimum(group)
                        headers.setMinima(t, multiplyAdd(minimum, sum, headers.minima(t)))
                        t += 1
                    }
                }
                column += runColumns
                group += 1
                sumPlace += 4
            }
            t = 0
            while t < count {
                let xScale = SIMD16<Float>(
                    repeating: (x + offsets[unchecked: t % tokens] + scalePlace).load(as: Float.self))
                var value = scaled[unchecked: t]
                let minima = product.hasMinima ? headers.minima(t) : .zero
                if product.hasSuperBlocks {
                    let headers = headers.of(t / tokens)
                    value = value * headers.superScale
                    if product.hasMinima {
                        value = multiplyAdd(SIMD16<Float>.zero - minima, headers.superMinimum, value)
                    }
                } else if product.hasMinima {
                    value = value + minima
                }
                headers.setTotal(t, multiplyAdd(value, xScale, headers.total(t)))
                t += 1
            }
        }
        t = 0
        while t < count {
            store(
                product.finish(headers.total(t), block + t / tokens),
                product.arguments.y + (token + t % tokens) * product.arguments.yStride, (block + t / tokens) * 16,
                count: product.weights.rows - (block + t / tokens) * 16)
            t += 1
        }
    }
}

/// Bytes from a line to the one that is prefetched with it.
@inline(__always)
var ahead: Int { 8192 }

/// The operands of a product, and what its format means for the loops.
private struct QuantizedProduct {
    let weights: PackedQuantizedWeights
    let arguments: MatmulArguments
    let layout: IntegerRowLayout
    /// Columns of whole runs that both the packed rows and x have.
    let columns: Int
    let blockBytes: Int
    /// Columns of a section minus one.
    let sectionMask: Int
    let sectionBytes: Int
    let headerBytes: Int
    let hasSuperBlocks: Bool
    let runColumns: Int
    let groupShift: Int
    let scaleKind: QuantizedFormat.Scales
    let minima: QuantizedFormat.Minima
    let hasMinima: Bool
    let hasZeroPoints: Bool
    let offset: Int32
    /// The index of the first sum over as many columns as a run has.
    let firstSum: Int
    /// The unit of the codes' integers and of the decoded scales, a power of two.
    let unit: Float

    @inline(__always)
    init(_ weights: PackedQuantizedWeights, _ arguments: MatmulArguments, terms: Int) {
        let format = weights.format
        self.weights = weights
        self.arguments = arguments
        layout = IntegerRowLayout(columns: weights.columns, terms: terms)
        let packed = format.packedColumns(weights.columns)
        let encoded = layout.termBytes
        columns = packed < encoded ? packed : encoded
        blockBytes = format.blockBytes(columns: weights.columns)
        sectionMask = format.sectionColumns - 1
        sectionBytes = format.sectionBytes
        headerBytes = format.headerBytes
        hasSuperBlocks = format.hasSuperBlocks
        runColumns = format.groupColumns
        groupShift = format.groupColumns.trailingZeroBitCount
        scaleKind = format.scales
        minima = format.minima
        hasMinima = minima == .float16 || minima == .uint8
        offset = format.codes.offset
        hasZeroPoints = minima == .zeroPoint
        firstSum = runColumns == 16 ? 0 : runColumns == 32 ? 8 : runColumns == 64 ? 12 : 14
        unit = (format.codes == .e2m1 ? 0.5 : 1) * (format.scales == .float8 ? 256 : 1)
    }

    /// Decodes the headers of up to 256 columns from `column` on, where `cursor` is. A function of its own, so that formats differ
    /// only here; scales of float8 are left times 2^-8.
    @inline(never)
    func decodeHeaders(_ cursor: UnsafeRawPointer, _ column: Int, _ headers: TileHeaders) {
        var cursor = cursor
        if hasSuperBlocks {
            prefetch(cursor + ahead)
            headers.storeBytes(of: float16Lanes(cursor), toByteOffset: 2048, as: SIMD16<Float>.self)
            headers.storeBytes(
                of: float16Lanes(cursor + 32), toByteOffset: 2112, as: SIMD16<Float>.self)
            cursor += 64
        }
        let end = column + 256 < columns ? column + 256 : columns
        var start = column
        var target = headers
        while start < end {
            if headerBytes > 0 { prefetch(cursor + ahead) }
            if headerBytes > 64 { prefetch(cursor + ahead + 64) }
            let minimumBytes = cursor + (minima == .uint8 ? 32 : headerBytes - 64)
            var group = 0
            while group &<< groupShift <= sectionMask {
                target.storeBytes(of: scales(cursor, group), as: SIMD16<Float>.self)
                switch minima {
                case .none: break
                case .zeroPoint:
                    target.storeBytes(
                        of: SIMD16<Int32>.zero &- byteLanes(minimumBytes + group * 16), toByteOffset: 1024,
                        as: SIMD16<Int32>.self)
                case .uint8:
                    target.storeBytes(
                        of: floatLanes(byteLanes(minimumBytes + group * 16)), toByteOffset: 1024,
                        as: SIMD16<Float>.self)
                case .float16:
                    target.storeBytes(
                        of: float16Lanes(minimumBytes + group * 32), toByteOffset: 1024, as: SIMD16<Float>.self)
                }
                target += 64
                group += 1
            }
            cursor += sectionBytes
            start += sectionMask + 1
        }
    }

    @inline(__always)
    private func scales(_ header: UnsafeRawPointer, _ group: Int) -> SIMD16<Float> {
        switch scaleKind {
        case .none: SIMD16(repeating: 1)
        case .float16: float16Lanes(header + group * 32)
        case .bfloat16: bfloat16Lanes(header + group * 32)
        case .float32: load16(header.assumingMemoryBound(to: Float.self), group * 16)
        case .float8: float8Lanes(header + group * 16)
        case .exponent: exponentLanes(header + group * 16)
        case .uint8: floatLanes(byteLanes(header + group * 16))
        case .int8: floatLanes(signedByteLanes(header + group * 16))
        }
    }

    /// The rows' results from their sums.
    @inline(__always)
    func finish(_ total: SIMD16<Float>, _ block: Int) -> SIMD16<Float> {
        let total = total * SIMD16<Float>(repeating: unit)
        return switch weights.format.rowFactor {
        case .none: total
        case .multiplied: total * load16(weights.rowFactors, block * 16)
        case .divided: total / load16(weights.rowFactors, block * 16)
        }
    }
}

/// Sixteen E8M0 exponents: 2^(e - 127).
@inline(__always)
private func exponentLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let exponents = byteLanes(pointer)
    let smallest = SIMD16<Int32>(repeating: 0x0040_0000)
    return unsafeBitCast(
        (exponents &<< 23).replacing(with: smallest, where: exponents .== 0), to: SIMD16<Float>.self)
}
