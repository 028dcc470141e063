import KernelInterface

/// A matrix with a quantized type in a GGUF file.
final class GGUFMatrix: QuantizedMatrix {
    let format: QuantizedFormat
    let rows: Int
    let columns: Int
    let parts: [MappedBytes]
    private let type: GGUFType
    private let base: UnsafeRawPointer
    private let factor: Float

    /// - Parameters:
    ///   - columns: the number of columns, which are whole blocks.
    ///   - factor: the factor of all weights, for types with such a scale.
    /// - Returns: `nil` if the type is not quantized.
    init?(_ type: GGUFType, rows: Int, columns: Int, _ source: MappedBytes, factor: Float = 1) {
        guard let format = type.format, let base = source.bytes.baseAddress else { return nil }
        self.type = type
        self.format = format
        self.rows = rows
        self.columns = columns
        self.base = base
        self.factor = factor
        parts = [source]
    }

    private var blocks: Int { columns / type.blockColumns }

    func read(_ rows: Range<Int>, into target: QuantizedRows) {
        for row in rows {
            let place = QuantizedRow(target, row)
            place.factor.pointee = factor
            let source = base + row * blocks * type.blockBytes
            switch type {
            case .q40, .iq4NL: forEachBlock(source) { place.readQ40($0, $1) }
            case .q41: forEachBlock(source) { place.readQ41($0, $1) }
            case .q50: forEachBlock(source) { place.readQ50($0, $1) }
            case .q51: forEachBlock(source) { place.readQ51($0, $1) }
            case .q80: forEachBlock(source) { place.readQ80($0, $1) }
            case .q4K: forEachBlock(source) { place.readQ4K($0, $1) }
            case .q5K: forEachBlock(source) { place.readQ5K($0, $1) }
            case .q6K: forEachBlock(source) { place.readQ6K($0, $1) }
            case .iq4XS: forEachBlock(source) { place.readIQ4XS($0, $1) }
            case .mxfp4: forEachBlock(source) { place.readMXFP4($0, $1) }
            case .nvfp4: forEachBlock(source) { place.readNVFP4($0, $1) }
            case .float32, .float16, .bfloat16: preconditionFailure("not a quantized type")
            }
        }
    }

    @inline(__always)
    private func forEachBlock(_ source: UnsafeRawPointer, _ body: (UnsafeRawPointer, Int) -> Void) {
        for block in 0..<blocks { body(source + block * type.blockBytes, block) }
    }

    func hasFiniteScales(pool: (any ParallelExecutor)?) -> Bool {
        let (total, step) = (rows * blocks, 1 << 10)
        guard let pool, pool.threads > 1, total > step else { return hasFiniteScales(0..<total) && factor.isFinite }
        let chunks = (total + step - 1) / step
        let memory = OwnedBytes(count: chunks)
        let isFinite = memory.bytes.bindMemory(to: Bool.self)
        pool.parallelFor(chunks: chunks) { chunk in
            isFinite[chunk] = hasFiniteScales(chunk * step..<min((chunk + 1) * step, total))
        }
        return !isFinite.contains(false) && factor.isFinite
    }

    private func hasFiniteScales(_ blocks: Range<Int>) -> Bool {
        switch type {
        case .q40, .q50, .q80, .iq4NL, .iq4XS: allBlocks(blocks) { $0.isFloat16(at: 0) }
        case .q41, .q51, .q4K, .q5K: allBlocks(blocks) { $0.isFloat16(at: 0) && $0.isFloat16(at: 2) }
        case .q6K: allBlocks(blocks) { $0.isFloat16(at: 208) }
        // 6 * 2^(253 - 127) is infinite.
        case .mxfp4: allBlocks(blocks) { $0.load(as: UInt8.self) <= 252 }
        case .nvfp4:
            allBlocks(blocks) { block in
                (0..<4).allSatisfy { block.load(fromByteOffset: $0, as: UInt8.self) & 0x7F != 0x7F }
            }
        case .float32, .float16, .bfloat16: true
        }
    }

    @inline(__always)
    private func allBlocks(_ blocks: Range<Int>, _ isFinite: (UnsafeRawPointer) -> Bool) -> Bool {
        for block in blocks where !isFinite(base + block * type.blockBytes) { return false }
        return true
    }
}

extension GGUFType {
    /// The format of the weights in memory; `nil` for types that are not quantized.
    var format: QuantizedFormat? {
        switch self {
        case .float32, .float16, .bfloat16: nil
        case .q40: .q40
        case .q41: .q41
        case .q50: .q50
        case .q51: .q51
        case .q80: .q80
        case .q4K: .q4K
        case .q5K: .q5K
        case .q6K: .q6K
        case .iq4NL: .iq4NL
        case .iq4XS: .iq4XS
        case .mxfp4: .mxfp4
        case .nvfp4: .nvfp4(.multiplied)
        }
    }
}

extension UnsafeRawPointer {
    /// Whether the float16 at `offset` is a finite number.
    fileprivate func isFloat16(at offset: Int) -> Bool { halfBits(at: offset) & 0x7C00 != 0x7C00 }

    fileprivate func halfBits(at offset: Int) -> UInt16 { loadUnaligned(fromByteOffset: offset, as: UInt16.self) }
}

// The layouts of blocks, as in ggml's `block_q4_0` and so on; `source` is a block and `block` its index in the row.
extension QuantizedRow {
    @inline(__always)
    private func setScale(_ bits: UInt16, _ group: Int) {
        scales.storeBytes(of: bits, toByteOffset: 2 * group, as: UInt16.self)
    }

    @inline(__always)
    private func setMinimum(_ bits: UInt16, _ group: Int) {
        minima.storeBytes(of: bits, toByteOffset: 2 * group, as: UInt16.self)
    }

    /// float16 d, 16 bytes of codes.
    fileprivate func readQ40(_ source: UnsafeRawPointer, _ block: Int) {
        setScale(source.halfBits(at: 0), block)
        setHalves(source + 2, at: 32 * block, count: 16)
    }

    /// float16 d and m, 16 bytes of codes.
    fileprivate func readQ41(_ source: UnsafeRawPointer, _ block: Int) {
        setScale(source.halfBits(at: 0), block)
        setMinimum(source.halfBits(at: 2), block)
        setHalves(source + 4, at: 32 * block, count: 16)
    }

    /// float16 d, 32 high bits, 16 bytes of low halves.
    fileprivate func readQ50(_ source: UnsafeRawPointer, _ block: Int) {
        setScale(source.halfBits(at: 0), block)
        setHalves(source + 6, at: 32 * block, count: 16)
        addHighBits(source + 2, block)
    }

    /// float16 d and m, 32 high bits, 16 bytes of low halves.
    fileprivate func readQ51(_ source: UnsafeRawPointer, _ block: Int) {
        setScale(source.halfBits(at: 0), block)
        setMinimum(source.halfBits(at: 2), block)
        setHalves(source + 8, at: 32 * block, count: 16)
        addHighBits(source + 4, block)
    }

    @inline(__always)
    private func addHighBits(_ source: UnsafeRawPointer, _ block: Int) {
        let bits = UInt32(littleEndian: source.loadUnaligned(as: UInt32.self))
        for column in 0..<32 {
            codes[32 * block + column] |= UInt8(truncatingIfNeeded: bits >> UInt32(column) & 1) << 4
        }
    }

    /// float16 d, 32 signed bytes.
    fileprivate func readQ80(_ source: UnsafeRawPointer, _ block: Int) {
        setScale(source.halfBits(at: 0), block)
        for column in 0..<32 {
            codes[32 * block + column] = source.load(fromByteOffset: 2 + column, as: UInt8.self) ^ 0x80
        }
    }

    /// float16 d and dmin, 12 bytes of scales and minima of 6 bits, 128 bytes of codes.
    fileprivate func readQ4K(_ source: UnsafeRawPointer, _ block: Int) {
        setSuperBlock(source, block)
        for pair in 0..<4 { setHalves(source + 16 + 32 * pair, at: 256 * block + 64 * pair, count: 32) }
    }

    /// Like Q4_K, with 32 bytes of high bits before the codes: bit g of byte j belongs to column 32 * g + j.
    fileprivate func readQ5K(_ source: UnsafeRawPointer, _ block: Int) {
        setSuperBlock(source, block)
        for pair in 0..<4 { setHalves(source + 48 + 32 * pair, at: 256 * block + 64 * pair, count: 32) }
        for group in 0..<8 {
            let target = codes + 256 * block + 32 * group
            for column in 0..<32 {
                let bits = source.load(fromByteOffset: 16 + column, as: UInt8.self)
                target[column] |= (bits >> UInt8(group) & 1) << 4
            }
        }
    }

    private func setSuperBlock(_ source: UnsafeRawPointer, _ block: Int) {
        superScales[block] = source.halfBits(at: 0)
        superMinima[block] = source.halfBits(at: 2)
        func bits(_ index: Int) -> UInt8 { source.load(fromByteOffset: 4 + index, as: UInt8.self) }
        for group in 0..<4 {
            let high = (scale: (bits(group) >> 6) << 4, minimum: (bits(group + 4) >> 6) << 4)
            setBytes(scale: bits(group) & 63, minimum: bits(group + 4) & 63, 8 * block + group)
            setBytes(
                scale: bits(group + 8) & 15 | high.scale, minimum: bits(group + 8) >> 4 | high.minimum,
                8 * block + group + 4)
        }
    }

    private func setBytes(scale: UInt8, minimum: UInt8, _ group: Int) {
        scales.storeBytes(of: scale, toByteOffset: group, as: UInt8.self)
        minima.storeBytes(of: minimum, toByteOffset: group, as: UInt8.self)
    }

    /// 128 bytes of low halves, 64 of high bits, 16 signed scales, float16 d; halves of 128 columns.
    fileprivate func readQ6K(_ source: UnsafeRawPointer, _ block: Int) {
        superScales[block] = source.halfBits(at: 208)
        (scales + 16 * block).copyMemory(from: source + 192, byteCount: 16)
        for half in 0..<2 {
            let (low, high) = (source + 64 * half, source + 128 + 32 * half)
            let target = codes + 256 * block + 128 * half
            for column in 0..<32 {
                let first = low.load(fromByteOffset: column, as: UInt8.self)
                let second = low.load(fromByteOffset: 32 + column, as: UInt8.self)
                let bits = high.load(fromByteOffset: column, as: UInt8.self)
                target[column] = first & 15 | (bits & 3) << 4
                target[32 + column] = second & 15 | (bits >> 2 & 3) << 4
                target[64 + column] = first >> 4 | (bits >> 4 & 3) << 4
                target[96 + column] = second >> 4 | (bits >> 6) << 4
            }
        }
    }

    /// float16 d, two high bits of each of 8 scales, four bytes of their low halves, 128 bytes of codes. Scales have an offset of
    /// 32.
    fileprivate func readIQ4XS(_ source: UnsafeRawPointer, _ block: Int) {
        superScales[block] = source.halfBits(at: 0)
        let high = source.halfBits(at: 2)
        for group in 0..<8 {
            let low = source.load(fromByteOffset: 4 + group / 2, as: UInt8.self) >> UInt8(4 * (group % 2)) & 15
            let scale = Int8(low) + Int8(high >> UInt16(2 * group) & 3) * 16 - 32
            scales.storeBytes(of: scale, toByteOffset: 8 * block + group, as: Int8.self)
            setHalves(source + 8 + 16 * group, at: 256 * block + 32 * group, count: 16)
        }
    }

    /// An exponent, 16 bytes of codes.
    fileprivate func readMXFP4(_ source: UnsafeRawPointer, _ block: Int) {
        scales.storeBytes(of: source.load(as: UInt8.self), toByteOffset: block, as: UInt8.self)
        setHalves(source + 1, at: 32 * block, count: 16)
        clearNegativeZeros(32 * block, count: 32)
    }

    /// Four scales, 32 bytes of codes: 8 bytes for each 16 columns.
    fileprivate func readNVFP4(_ source: UnsafeRawPointer, _ block: Int) {
        (scales + 4 * block).copyMemory(from: source, byteCount: 4)
        for group in 0..<4 { setHalves(source + 4 + 8 * group, at: 64 * block + 16 * group, count: 8) }
        clearNegativeZeros(64 * block, count: 64)
    }

    /// Replaces the code of -0 by 0, because GGUF treats it as 0, unlike safetensors.
    @inline(__always)
    private func clearNegativeZeros(_ column: Int, count: Int) {
        for index in column..<column + count { codes[index] = codes[index] == 8 ? 0 : codes[index] }
    }
}
