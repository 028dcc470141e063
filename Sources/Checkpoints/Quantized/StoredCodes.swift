import KernelInterface

/// A quantized matrix from compressed-tensors or in ModelOpt's NVFP4. Its codes are in the order of ``CompressedLayout``, or signed
/// bytes, as `int-quantized` and `naive-quantized` store them.
final class StoredCodes: QuantizedMatrix {
    let format: QuantizedFormat
    let rows: Int
    let columns: Int
    let parts: [MappedBytes]
    private let groups: ColumnGroups
    private let codes: UnsafeRawBufferPointer
    /// (rows, groups), or one scale for the whole matrix.
    private let scales: StoredTensor
    /// The number of scales of a row; 0 if all rows have the same scale.
    private let rowScales: Int
    /// The zero points, in the order of the layout, or as signed bytes in the shape of the scales.
    private let zeroPoints: UnsafeRawBufferPointer?
    private let factor: Float
    private let isSigned: Bool

    /// - Parameters:
    ///   - format: a format with codes of 4 or 8 bits.
    ///   - scales: the scales of the format, (rows, groups) or one element. For a format without scales they are the row factors,
    ///     in float32, float16 or bfloat16.
    ///   - factor: the factor of all rows, for other formats with row factors.
    ///   - isSigned: whether codes and zero points are int8, one for each element.
    init(
        _ format: QuantizedFormat, rows: Int, columns: Int, groups: ColumnGroups, codes: StoredTensor,
        scales: StoredTensor, zeroPoints: StoredTensor? = nil, factor: Float = 1, isSigned: Bool = false
    ) {
        self.format = format
        self.rows = rows
        self.columns = columns
        self.groups = groups
        self.codes = codes.bytes
        self.scales = scales
        self.zeroPoints = zeroPoints?.bytes
        self.factor = factor
        self.isSigned = isSigned
        rowScales = scales.isSingle ? 0 : groups.count
        parts = ([codes, scales] + [zeroPoints].compactMap(\.self)).map(MappedBytes.init)
    }

    func read(_ rows: Range<Int>, into target: QuantizedRows) {
        guard let codes = codes.baseAddress, let scales = scales.bytes.baseAddress else { return }
        let (size, bits) = (format.scales.bytes, format.codes.bits)
        let bytesOfRow = self.codes.count / max(self.rows, 1)
        // Adds 128.
        let highestBit: UInt8 = 0x80
        for row in rows {
            let (place, first) = (QuantizedRow(target, row), row * rowScales)
            place.readPacked(codes + row * bytesOfRow, columns: columns, bits: bits)
            if isSigned { for column in 0..<columns { place.codes[column] ^= highestBit } }
            place.factor.pointee = format.scales == .none ? self.scales.float(first) ?? .nan : factor
            groups.copy(scales + first * size, size: size, to: place.scales, columns: columns)
            guard let zeroPoints else { continue }
            groups.forEach(columns: columns) { group, stored in
                let point =
                    isSigned
                    ? zeroPoints[first + stored] ^ highestBit
                    : CompressedLayout.zeroPoint(zeroPoints, bits: bits, row: row, group: stored, of: groups.count)
                place.setZeroPoint(point, group)
            }
        }
    }

    func hasFiniteScales(pool: (any ParallelExecutor)?) -> Bool {
        // 6 * 2^(253 - 127) is infinite.
        format.scales == .exponent ? !scales.bytes.contains { $0 > 252 } : scales.areFiniteScales(pool: pool)
    }
}
