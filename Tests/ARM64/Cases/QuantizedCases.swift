import KernelInterface

func quantizedCases() {
    run("q4_0", .q40)
    run("q4_1", .q41)
    run("q5_0", .q50)
    run("q5_1", .q51)
    run("q8_0", .q80)
    run("q4_k", .q4K)
    run("q5_k", .q5K)
    run("q6_k", .q6K)
    run("iq4_nl", .iq4NL)
    run("iq4_xs", .iq4XS)
    run("mxfp4", .mxfp4)
    run("nvfp4", .nvfp4(.divided))
    run("channel", .channel(.int8))
    run("grouped", .grouped(.int4, groupColumns: 64, scales: .bfloat16))
    run("grouped float32", .grouped(.int8, groupColumns: 128, scales: .float32))
    run("asymmetric", .asymmetric(.uint4, groupColumns: 32, scales: .float16))
    run("asymmetric bytes", .asymmetric(.uint8, groupColumns: 64, scales: .bfloat16))
    quantize("quantized int4", .grouped(.int4, groupColumns: 64, scales: .bfloat16))
    quantize("quantized int8", .grouped(.int8, groupColumns: 32, scales: .float16))
    quantize("quantized nvfp4", .nvfp4(.divided))
}

/// Codes and scales of 16 rows of numbers, packed.
private func quantize(_ name: StaticString, _ format: QuantizedFormat) {
    for limit: Float in [0.02, 1e-38, 3] {
        var random = RandomValues(seed: 16)
        let columns = 256
        let numbers = Memory(floats: 16 * columns, limit: limit, &random)
        for column in 0..<128 { numbers.floats[columns + column] = 0 }
        let rows = QuantizedRows.allocate(format, columns: columns)
        for row in 0..<16 { rows.rowFactors[row] = 1234.5 }
        Kernels.quantize(numbers.floats, stride: columns, into: rows)
        let packed = Memory(bytes: format.blockBytes(columns: columns))
        Kernels.pack(rows, count: 16, block: packed.base)
        report(name, 16, columns, Int(limit), bytes: packed)
    }
}

/// Packing, unpacking and products of a format.
private func run(_ name: StaticString, _ format: QuantizedFormat) {
    for (rows, columns, tokens) in [(16, 16, 2), (17, 52, 3), (33, 300, 7)] {
        var random = RandomValues(seed: rows)
        let (packed, factors) = pack(format, rows, columns, &random)
        report(name, rows, columns, 0, bytes: packed)
        let weights = PackedQuantizedWeights(
            format: format, blocks: packed.base, rowFactors: factors.floats, rows: rows, columns: columns)
        let row = Memory(floats: columns)
        Kernels.unpackRow(weights, row: rows - 1, factor: 1.5, out: row.floats)
        report(name, rows, columns, 1, floats: row)

        let x = Memory(floats: tokens * columns, limit: 3, &random)
        // A segment of zeros, and a row that is not finite.
        if tokens > 4 {
            for column in 128..<256 { x.floats[columns + column] = 0 }
            x.floats[4 * columns] = .infinity
        }
        for terms in 1...3 {
            let layout = IntegerRowLayout(columns: columns, terms: terms)
            let encoded = Memory(bytes: tokens * layout.bytes)
            for token in 0..<tokens {
                Kernels.encode(
                    source: x.floats + token * columns, segments: 0..<layout.segments, layout: layout,
                    target: encoded.base + token * layout.bytes)
            }
            // The integers of a row that is not finite are undefined.
            if tokens <= 4 { report("encoded", rows, columns, terms, bytes: encoded) }
            let y = Memory(floats: tokens * rows)
            Kernels.multiply(
                weights,
                MatmulArguments(
                    firstBlock: 0, blocks: (rows + 15) / 16, x: encoded.base, xStride: layout.bytes, tokens: tokens,
                    y: y.floats, yStride: rows), terms: terms)
            report(name, rows, columns, terms + 1, floats: y)
        }
    }
}

/// A random matrix and its row factors.
private func pack(
    _ format: QuantizedFormat, _ rows: Int, _ columns: Int, _ random: inout RandomValues
) -> (packed: Memory, factors: Memory) {
    let packed = Memory(bytes: format.bytes(rows: rows, columns: columns))
    let factors = Memory(floats: (rows + 15) / 16 * 16)
    let source = QuantizedRows.allocate(format, columns: columns)
    for row in 0..<factors.bytes / 4 { factors.floats[row] = 1 + random.float(0.5) }
    for block in 0..<(rows + 15) / 16 {
        let count = min(16, rows - block * 16)
        for row in 0..<count {
            for column in 0..<columns {
                source.codes[row * source.codeStride + column] = UInt8(random.below(1 << UInt64(format.codes.bits)))
            }
            for group in 0..<source.groupStride { fill(source, row * source.groupStride + group, &random) }
            for block in 0..<source.superStride {
                source.superScales[row * source.superStride + block] = float16(&random)
                source.superMinima[row * source.superStride + block] = float16(&random)
            }
        }
        Kernels.pack(source, count: count, block: packed.base + block * format.blockBytes(columns: columns))
    }
    return (packed, factors)
}

/// The scale and the minimum of a group.
private func fill(_ target: QuantizedRows, _ place: Int, _ random: inout RandomValues) {
    switch target.format.scales {
    case .none: break
    case .float16: target.scales.storeBytes(of: float16(&random), toByteOffset: place * 2, as: UInt16.self)
    case .bfloat16:
        let bits = UInt16(random.float(0.1).bitPattern >> 16)
        target.scales.storeBytes(of: bits, toByteOffset: place * 2, as: UInt16.self)
    case .float32: target.scales.storeBytes(of: random.float(0.1), toByteOffset: place * 4, as: Float.self)
    case .float8: target.scales.storeBytes(of: UInt8(random.below(0x7f)), toByteOffset: place, as: UInt8.self)
    case .exponent: target.scales.storeBytes(of: UInt8(118 + random.below(7)), toByteOffset: place, as: UInt8.self)
    case .uint8: target.scales.storeBytes(of: UInt8(random.below(64)), toByteOffset: place, as: UInt8.self)
    case .int8: target.scales.storeBytes(of: UInt8(random.below(256)), toByteOffset: place, as: UInt8.self)
    }
    switch target.format.minima {
    case .none: break
    case .zeroPoint: target.minima.storeBytes(of: UInt8(random.below(17)), toByteOffset: place, as: UInt8.self)
    case .float16: target.minima.storeBytes(of: float16(&random), toByteOffset: place * 2, as: UInt16.self)
    case .uint8: target.minima.storeBytes(of: UInt8(random.below(64)), toByteOffset: place, as: UInt8.self)
    }
}

/// The bits of a finite float16 number below 0.25, some of them subnormal.
private func float16(_ random: inout RandomValues) -> UInt16 {
    UInt16(truncatingIfNeeded: random.below(0x3400) | random.below(2) << 15)
}
