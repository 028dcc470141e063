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
    public static func multiply(_ weights: PackedQuantizedWeights, _ arguments: MatmulArguments, terms: Int) {
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
        var scratch = InlineArray<34, SIMD16<Float>>(repeating: .zero)
        withUnsafeMutableBytes(of: &scratch) { memory in
            guard let base = memory.baseAddress else { return }
            multiply(product, bytes, Headers(base: base))
        }
    }

    @inline(__always)
    private static func multiply<let terms: Int>(
        _ product: QuantizedProduct, _ bytes: InlineArray<terms, Bool>, _ headers: Headers
    ) {
        let arguments = product.arguments
        var block = arguments.firstBlock
        while block < arguments.firstBlock + arguments.blocks {
            var token = 0
            while token < arguments.tokens {
                let left = arguments.tokens - token
                let most = largestIntegerTile(terms: terms)
                switch left < most ? left : most {
                case 8...: token += tile(product, block, token, bytes, headers, InlineArray<8, Int>(repeating: 0))
                case 6... where most == 6:
                    token += tile(product, block, token, bytes, headers, InlineArray<6, Int>(repeating: 0))
                case 4...: token += tile(product, block, token, bytes, headers, InlineArray<4, Int>(repeating: 0))
                case 2...: token += tile(product, block, token, bytes, headers, InlineArray<2, Int>(repeating: 0))
                default: token += tile(product, block, token, bytes, headers, InlineArray<1, Int>(repeating: 0))
                }
            }
            block += 1
        }
    }

    /// One block of rows and `count` tokens; returns `count`.
    private static func tile<let terms: Int, let count: Int>(
        _ product: QuantizedProduct, _ block: Int, _ token: Int, _ bytes: InlineArray<terms, Bool>,
        _ headers: Headers, _ tokens: InlineArray<count, Int>
    ) -> Int {
        let x = product.arguments.x
        let offsets = product.arguments.rowOffsets(token, product.arguments.xStride, tokens)
        let runColumns = product.runColumns
        var total = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var scaled = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var minima = InlineArray<count, SIMD16<Float>>(repeating: .zero)
        var offset = SIMD16<Int32>(repeating: product.offset)
        var cursor = product.weights.blocks + block * product.blockBytes
        var column = 0
        while column < product.columns {
            if column & 255 == 0 {
                product.decodeHeaders(cursor, column, headers)
                if product.hasSuperBlocks { cursor += 64 }
            }
            if column & product.sectionMask == 0 { cursor += product.headerBytes }

            // The sums of products with the bytes l, h and g of x.
            var l = InlineArray<count, SIMD16<Int32>>(repeating: .zero)
            var h = InlineArray<count, SIMD16<Int32>>(repeating: .zero)
            var g = InlineArray<count, SIMD16<Int32>>(repeating: .zero)
            add(
                cursor, columns: runColumns, x: x + column, termBytes: product.layout.termBytes, offsets, bytes, &l, &h,
                &g)
            cursor += runColumns * bits * 2

            let group = (column & 255) &>> product.groupShift
            let scale = headers.scale(group)
            if product.hasZeroPoints { offset = headers.zeroPoints(group) }
            let sumPlace = product.sumPlace(column)
            var t = 0
            while t < count {
                let xSums = x + offsets[unchecked: t] + sumPlace
                let xSum = SIMD16<Int32>(repeating: xSums.load(as: Int32.self))
                var low = l[unchecked: t]
                if terms > 1 { low = low &+ h[unchecked: t] &<< 8 }
                if product.hasOffset { low = low &- offset &* xSum }
                var integer = floatLanes(low)
                var wideSum = floatLanes(xSum)
                if terms > 2 {
                    let upperSum = SIMD16<Int32>(
                        repeating: xSums.load(fromByteOffset: product.layout.sumsBytes, as: Int32.self))
                    let upper = g[unchecked: t] &- offset &* upperSum
                    let factor = SIMD16<Float>(repeating: 65536)
                    integer = multiplyAdd(floatLanes(upper), factor, integer)
                    wideSum = multiplyAdd(floatLanes(upperSum), factor, wideSum)
                }
                scaled[unchecked: t] = multiplyAdd(integer, scale, scaled[unchecked: t])
                if product.hasMinima {
                    minima[unchecked: t] = multiplyAdd(headers.minimum(group), wideSum, minima[unchecked: t])
                }
                t += 1
            }
            column += runColumns
            guard column & 127 == 0 || column >= product.columns else { continue }

            let scalePlace = product.layout.scalesOffset + (column - 1) / 128 * 4
            t = 0
            while t < count {
                let xScale = SIMD16<Float>(repeating: (x + offsets[unchecked: t] + scalePlace).load(as: Float.self))
                var value = scaled[unchecked: t]
                if product.hasSuperBlocks {
                    value = value * headers.superScale
                    if product.hasMinima {
                        value = multiplyAdd(SIMD16<Float>.zero - minima[unchecked: t], headers.superMinimum, value)
                    }
                } else if product.hasMinima {
                    value = value + minima[unchecked: t]
                }
                total[unchecked: t] = multiplyAdd(value, xScale, total[unchecked: t])
                scaled[unchecked: t] = .zero
                minima[unchecked: t] = .zero
                t += 1
            }
        }
        var t = 0
        while t < count {
            store(
                product.finish(total[unchecked: t], block),
                product.arguments.y + (token + t) * product.arguments.yStride, block * 16,
                count: product.weights.rows - block * 16)
            t += 1
        }
        return count
    }
}

/// Bytes from a line to the one that is prefetched with it.
@inline(__always)
var ahead: Int { 8192 }

/// The scales and minima of 256 columns of 16 rows, decoded: 16 groups of scales, 16 of minima or zero points, superscales and
/// superminima, 64 bytes each.
private struct Headers {
    let base: UnsafeMutableRawPointer

    @inline(__always)
    func scale(_ group: Int) -> SIMD16<Float> { base.load(fromByteOffset: group * 64, as: SIMD16<Float>.self) }

    @inline(__always)
    func minimum(_ group: Int) -> SIMD16<Float> { base.load(fromByteOffset: 1024 + group * 64, as: SIMD16<Float>.self) }

    @inline(__always)
    func zeroPoints(_ group: Int) -> SIMD16<Int32> {
        base.load(fromByteOffset: 1024 + group * 64, as: SIMD16<Int32>.self)
    }

    var superScale: SIMD16<Float> {
        @inline(__always) get { base.load(fromByteOffset: 2048, as: SIMD16<Float>.self) }
    }
    var superMinimum: SIMD16<Float> {
        @inline(__always) get { base.load(fromByteOffset: 2112, as: SIMD16<Float>.self) }
    }
}

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
    let hasOffset: Bool
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
        hasOffset = offset != 0 || hasZeroPoints
        firstSum = runColumns == 16 ? 0 : runColumns == 32 ? 8 : runColumns == 64 ? 12 : 14
        unit = (format.codes == .e2m1 ? 0.5 : 1) * (format.scales == .float8 ? 256 : 1)
    }

    /// Decodes the headers of up to 256 columns from `column` on, where `cursor` is. A function of its own, so that formats differ
    /// only here; scales of float8 are left times 2^-8.
    @inline(never)
    func decodeHeaders(_ cursor: UnsafeRawPointer, _ column: Int, _ headers: Headers) {
        var cursor = cursor
        if hasSuperBlocks {
            prefetch(cursor + ahead)
            headers.base.storeBytes(of: float16Lanes(cursor), toByteOffset: 2048, as: SIMD16<Float>.self)
            headers.base.storeBytes(of: float16Lanes(cursor + 32), toByteOffset: 2112, as: SIMD16<Float>.self)
            cursor += 64
        }
        let end = column + 256 < columns ? column + 256 : columns
        var start = column
        var target = headers.base
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
                        of: byteLanes(minimumBytes + group * 16), toByteOffset: 1024, as: SIMD16<Int32>.self)
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

    /// The offset of the sum of a run in a row of x.
    @inline(__always)
    func sumPlace(_ column: Int) -> Int {
        layout.sumsOffset + column &>> 7 * 64 + (firstSum + (column & 127) &>> groupShift) * 4
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
    return unsafeBitCast((exponents &<< 23).replacing(with: smallest, where: exponents .== 0), to: SIMD16<Float>.self)
}
