/// Up to 16 rows of a quantized matrix, which a file's reader writes and the packing of a block reads.
///
/// The reader writes the parts that the format has, for the rows and columns that the matrix has. The rest keeps its contents:
/// zeros from the allocation, or codes and scales of other rows, which packing ignores.
public struct QuantizedRows {
    public let format: QuantizedFormat
    public let columns: Int
    /// The codes, one per byte, (16, codeStride), with zeros in the bits above ``QuantizedFormat/Codes/bits``.
    public let codes: UnsafeMutablePointer<UInt8>
    /// The stride between rows of codes, at least `packedColumns`.
    public let codeStride: Int
    /// The scales as stored in the file, (16, groupStride), in elements of ``QuantizedFormat/Scales/bytes``.
    public let scales: UnsafeMutableRawPointer
    /// The minima or zero points, (16, groupStride), in elements of ``QuantizedFormat/Minima/bytes``.
    public let minima: UnsafeMutableRawPointer
    /// The number of groups of the packed columns.
    public let groupStride: Int
    /// Float16 bits, (16, superStride).
    public let superScales: UnsafeMutablePointer<UInt16>
    /// Float16 bits, (16, superStride).
    public let superMinima: UnsafeMutablePointer<UInt16>
    /// The number of blocks of 256 columns.
    public let superStride: Int
    /// (16)
    public let rowFactors: UnsafeMutablePointer<Float>

    /// Allocates zeroed memory of about 16 * columns bytes. Free it with ``deallocate()``.
    public static func allocate(_ format: QuantizedFormat, columns: Int) -> QuantizedRows {
        QuantizedRows(format, columns: columns)
    }

    private init(_ format: QuantizedFormat, columns: Int) {
        let packed = format.packedColumns(columns)
        self.format = format
        self.columns = columns
        // The stride is usually not a multiple of 4 KB, so that the same columns of 16 rows do not map to the same cache sets.
        codeStride = packed + 64
        groupStride = packed / format.groupColumns
        superStride = (packed + 255) / 256
        codes = zeroed(16 * codeStride)
        scales = UnsafeMutableRawPointer(zeroed(64 * groupStride) as UnsafeMutablePointer<UInt8>)
        minima = UnsafeMutableRawPointer(zeroed(32 * groupStride) as UnsafeMutablePointer<UInt8>)
        superScales = zeroed(16 * superStride)
        superMinima = zeroed(16 * superStride)
        rowFactors = zeroed(16)
    }

    /// Frees the memory.
    public func deallocate() {
        codes.deallocate()
        scales.deallocate()
        minima.deallocate()
        superScales.deallocate()
        superMinima.deallocate()
        rowFactors.deallocate()
    }
}

private func zeroed<Number: FixedWidthInteger>(_ count: Int) -> UnsafeMutablePointer<Number> {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * MemoryLayout<Number>.size, alignment: 64)
    return memory.initializeMemory(as: Number.self, repeating: 0, count: max(count, 1))
}

private func zeroed(_ count: Int) -> UnsafeMutablePointer<Float> {
    UnsafeMutableRawPointer(zeroed(count) as UnsafeMutablePointer<UInt32>).bindMemory(to: Float.self, capacity: count)
}

extension QuantizedRows {
    /// Returns the exact value of a weight, as ``QuantizedFormat`` defines it.
    public func value(row: Int, column: Int) -> Float {
        let (group, block) = (row * groupStride + column / format.groupColumns, row * superStride + column / 256)
        return format.value(
            code: codes[row * codeStride + column], scale: scales + group * format.scales.bytes,
            minimum: minima + group * format.minima.bytes, superScale: superScales + block,
            superMinimum: superMinima + block, rowFactor: rowFactors[row])
    }
}

extension QuantizedFormat {
    /// Returns the value of a weight from its parts as stored. Pointers to parts that the format does not have are not read.
    public func value(
        code: UInt8, scale: UnsafeRawPointer, minimum: UnsafeRawPointer, superScale: UnsafeRawPointer,
        superMinimum: UnsafeRawPointer, rowFactor factor: Float
    ) -> Float {
        var scale = scales.value(scale)
        if hasSuperBlocks { scale = float16(superScale) * scale }
        let code = codes.value(code)
        let value =
            switch minima {
            case .none: code
            case .zeroPoint: code - Float(minimum.load(as: UInt8.self))
            case .float16: code * scale + float16(minimum)
            case .uint8: code * scale - float16(superMinimum) * Float(minimum.load(as: UInt8.self))
            }
        let isScaled = minima == .float16 || minima == .uint8
        return switch rowFactor {
        case .none: isScaled ? value : value * scale
        case .multiplied: isScaled ? value * factor : value * (scale * factor)
        case .divided: isScaled ? value / factor : value * (scale / factor)
        }
    }
}

extension QuantizedFormat.Scales {
    /// Returns the value of a stored scale at any alignment, or 1 for ``none``.
    func value(_ bits: UnsafeRawPointer) -> Float {
        switch self {
        case .none: return 1
        case .float16: return KernelInterface.float16(bits)
        case .bfloat16: return Float(bitPattern: UInt32(bits.loadUnaligned(as: UInt16.self)) << 16)
        case .float32: return bits.loadUnaligned(as: Float.self)
        case .float8:
            let code = UInt32(bits.load(as: UInt8.self))
            return Float(bitPattern: (code & 0x80) << 24 | (code & 0x7f) << 20) * 0x1p120
        case .exponent:
            let exponent = UInt32(bits.load(as: UInt8.self))
            return exponent == 0 ? 0x1p-127 : Float(bitPattern: exponent << 23)
        case .uint8: return Float(bits.load(as: UInt8.self))
        case .int8: return Float(bits.load(as: Int8.self))
        }
    }
}

/// Converts a float16 at any alignment to float32, exactly. Infinity and NaN do not occur in weights, because readers reject them.
private func float16(_ bits: UnsafeRawPointer) -> Float {
    let half = UInt32(bits.loadUnaligned(as: UInt16.self))
    return Float(bitPattern: (half & 0x8000) << 16 | (half & 0x7fff) << 13) * 0x1p112
}
