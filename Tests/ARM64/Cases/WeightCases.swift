import KernelInterface

func weightCases() {
    Weights<Kernels.Float32Weights>(name: "float32", elementBytes: 4).run()
    Weights<Kernels.Float16Weights>(name: "float16", elementBytes: 2).run()
    Weights<Kernels.BFloat16Weights>(name: "bfloat16", elementBytes: 2).run()
    Weights<Kernels.Float8Weights>(name: "float8", elementBytes: 1).run()
}

/// Packing, unpacking and products with weights of a format.
private struct Weights<Format: WeightKernels> {
    let name: StaticString
    let elementBytes: Int

    func run() {
        for (rows, columns, width, tokens) in [(16, 4, 4, 1), (17, 52, 52, 3), (40, 301, 128, 7), (35, 256, 32, 9)] {
            for scaleRows in [1, 16] { run(rows, columns, width, tokens, scaleRows: scaleRows) }
        }
    }

    private func run(_ rows: Int, _ columns: Int, _ width: Int, _ tokens: Int, scaleRows: Int) {
        var random = RandomValues(seed: rows * columns)
        let blocks = (rows + 15) / 16
        let source = source(rows * columns, &random)
        let packed = Memory(bytes: Format.layout.bytes(rows: rows, columns: columns))
        Format.pack(
            PackArguments(
                source: source.base, rows: rows, columns: columns, firstBlock: 0, blocks: blocks, target: packed.base))
        report(name, rows, columns, 0, bytes: packed)

        let scaleColumns = (columns + width - 1) / width
        let scales = Memory(floats: blocks * scaleColumns * scaleRows, &random)
        let weights = PackedWeights(
            lines: packed.base, scales: scales.floats, scaleRows: scaleRows, scaleColumns: scaleColumns,
            scaleWidth: width, rows: rows, columns: columns)
        let row = Memory(floats: columns)
        Format.unpackRow(weights, row: rows - 1, factor: 1.5, out: row.floats)
        report(name, rows, columns, 1, floats: row)

        let x = Activations<Format>(columns: columns, tokens: tokens, &random)
        let y = product(weights, x, 0, tokens, isRounded: false)
        report(name, rows, columns, 2, floats: y)
        compare(y, weights, x, isRounded: false)
        let rounded = product(weights, x, 0, tokens, isRounded: true)
        compare(rounded, weights, x, isRounded: true)
        for token in 0..<tokens {
            for (together, isRounded) in [(y, false), (rounded, true)] {
                let alone = product(weights, x, token, 1, isRounded: isRounded)
                for row in 0..<rows {
                    let isEqual = alone.floats[row].bitPattern == together.floats[token * rows + row].bitPattern
                    check(isEqual, "a token alone gives other bits than in a batch", rows, columns, token)
                }
            }
        }
    }

    /// Results (tokens, rows) of some tokens of x.
    private func product(
        _ weights: PackedWeights, _ x: Activations<Format>, _ token: Int, _ tokens: Int, isRounded: Bool
    ) -> Memory {
        let y = Memory(floats: tokens * weights.rows)
        let arguments = MatmulArguments(
            firstBlock: 0, blocks: (weights.rows + 15) / 16, x: x.encoded.base + token * x.rowBytes, xStride: x.stride,
            tokens: tokens, y: y.floats, yStride: weights.rows)
        if isRounded { Format.multiplyRounded(weights, arguments) } else { Format.multiply(weights, arguments) }
        return y
    }

    /// Compares results with sums in float64.
    private func compare(_ y: Memory, _ weights: PackedWeights, _ x: Activations<Format>, isRounded: Bool) {
        let row = Memory(floats: weights.columns)
        for r in 0..<weights.rows {
            Format.unpackRow(weights, row: r, factor: 1, out: row.floats)
            for token in 0..<x.tokens {
                var (sum, magnitude) = (0.0, 0.0)
                for column in 0..<weights.columns {
                    let product = Double(row.floats[column]) * x.value(token, column, isRounded: isRounded)
                    sum += product
                    magnitude += product.magnitude
                }
                let error = (Double(y.floats[token * weights.rows + r]) - sum).magnitude
                check(error <= 2e-6 * magnitude, "a product is wrong", weights.rows, weights.columns, token)
            }
        }
    }

    private func source(_ count: Int, _ random: inout RandomValues) -> Memory {
        let memory = Memory(bytes: count * elementBytes)
        for i in 0..<count {
            let bits = random.float().bitPattern
            switch elementBytes {
            case 4: memory.base.storeBytes(of: bits, toByteOffset: i * 4, as: UInt32.self)
            // Finite in float16 too: the exponent's highest bit is clear.
            case 2: memory.base.storeBytes(of: UInt16(bits >> 16) & 0xbfff, toByteOffset: i * 2, as: UInt16.self)
            default:
                let code = UInt8(random.below(256))
                memory.base.storeBytes(of: code & 0x7f == 0x7f ? 0 : code, toByteOffset: i, as: UInt8.self)
            }
        }
        return memory
    }
}

/// Random rows of x in the form that products of a format take.
private struct Activations<Format: WeightKernels> {
    let columns: Int
    let tokens: Int
    let encoded: Memory
    /// Floats or, if rows are encoded, elements of two bytes.
    let stride: Int

    private static var isEncoded: Bool { Format.activations == .bfloat16Pairs }

    init(columns: Int, tokens: Int, _ random: inout RandomValues) {
        (self.columns, self.tokens) = (columns, tokens)
        let x = Memory(floats: tokens * columns, &random)
        let padded = (columns + 3) / 4 * 4
        stride = Self.isEncoded ? 2 * padded : columns
        guard Self.isEncoded else {
            encoded = x
            return
        }
        encoded = Memory(bytes: tokens * stride * 2)
        // Other sets have this function as a default of `KernelFamily`, which they do not conform to without `Family.swift`.
        #if BFLOAT16
            let target = encoded.base.assumingMemoryBound(to: UInt16.self)
            for token in 0..<tokens {
                Kernels.encode(
                    source: x.floats + token * columns, count: columns, padding: padded - columns,
                    target: target + token * stride, lowOffset: padded)
            }
        #endif
    }

    var rowBytes: Int { stride * (Self.isEncoded ? 2 : 4) }

    /// The number that a product multiplies.
    func value(_ token: Int, _ column: Int, isRounded: Bool) -> Double {
        guard Self.isEncoded else { return Double(encoded.floats[token * stride + column]) }
        let place = encoded.base.assumingMemoryBound(to: UInt16.self) + token * stride + column
        let (high, low) = (UInt32(place[0]) << 16, UInt32(place[stride / 2]) << 16)
        return Double(Float(bitPattern: high)) + (isRounded ? 0 : Double(Float(bitPattern: low)))
    }
}
