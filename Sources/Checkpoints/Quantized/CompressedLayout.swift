import KernelInterface

/// The tensors in which compressed-tensors stores a quantized matrix (rows, columns), and the order of the codes in them:
/// `pack-quantized` for integers, `nvfp4-pack-quantized` and `mxfp4-pack-quantized` for E2M1. ``CompressedMatrix`` writes them,
/// and ``StoredCodes`` reads them.
struct CompressedLayout {
    /// A tensor of a matrix.
    struct Part {
        var name: String
        var type: TensorType
        var shape: [Int]
    }

    let module: String
    let rows: Int
    let columns: Int

    func name(_ part: String) -> String { "\(module).weight_\(part)" }

    private func part(_ name: String, _ type: TensorType, _ shape: [Int]) -> Part {
        Part(name: self.name(name), type: type, shape: shape)
    }

    /// Integers of 4 or 8 bits in 32-bit words. Each row starts a new word; an offset makes the integers unsigned.
    func integers(bits: Int) -> Part { part("packed", .int32, [rows, (columns * bits + 31) / 32]) }

    /// E2M1 codes, two per byte. The columns are whole groups.
    var floats: Part { part("packed", .uint8, [rows, columns / 2]) }

    func scales(_ type: TensorType, groups: Int) -> Part { part("scale", type, [rows, groups]) }

    /// The global scale of NVFP4, by which the other scales are divided.
    var globalScale: Part { part("global_scale", .float32, [1]) }

    /// The shape tensor of integers: rows and columns.
    var shape: Part { part("shape", .int64, [2]) }

    /// The zero points of integers, packed like the codes, but a word holds consecutive rows of one group.
    func zeroPoints(bits: Int, groups: Int) -> Part { part("zero_point", .int32, [(rows * bits + 31) / 32, groups]) }

    /// Returns the zero point of a row in one of `groups` groups, unsigned like the codes.
    static func zeroPoint(
        _ words: UnsafeRawBufferPointer, bits: Int, row: Int, group: Int, of groups: Int
    ) -> UInt8 {
        let rowsOfWord = 32 / bits
        let word = words.loadUnaligned(
            fromByteOffset: (row / rowsOfWord * groups + group) * 4, as: UInt32.self)
        return UInt8(UInt32(littleEndian: word) >> UInt32(row % rowsOfWord * bits) & (1 << UInt32(bits) - 1))
    }
}

// The codes of a row start at the lowest bits. A byte holds one code, or two with the even column in the low half. Words are
// little-endian, so that codes have the same order in words and in bytes.
extension QuantizedRow {
    @inline(__always)
    func readPacked(_ source: UnsafeRawPointer, columns: Int, bits: Int) {
        guard bits == 4 else {
            codes.update(from: source.assumingMemoryBound(to: UInt8.self), count: columns)
            return
        }
        for index in 0..<columns / 2 {
            let byte = source.load(fromByteOffset: index, as: UInt8.self)
            codes[2 * index] = byte & 15
            codes[2 * index + 1] = byte >> 4
        }
        if columns % 2 == 1 { codes[columns - 1] = source.load(fromByteOffset: columns / 2, as: UInt8.self) & 15 }
    }

    /// - Parameter columns: an even number.
    func writePacked(_ target: UnsafeMutableRawPointer, columns: Int, bits: Int) {
        for index in 0..<columns * bits / 8 {
            let byte = bits == 8 ? codes[index] : codes[2 * index] | codes[2 * index + 1] << 4
            target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
    }
}
