import KernelInterface

/// A quantized matrix in the order of ``CompressedLayout``, from compressed-tensors or in ModelOpt's NVFP4.
final class PackedCodes: QuantizedMatrix {
    let format: QuantizedFormat
    let rows: Int
    let columns: Int
    let parts: [MappedBytes]
    private let groups: ColumnGroups
    private let codes: UnsafeRawBufferPointer
    /// (rows, groups)
    private let scales: StoredTensor
    /// The zero points, in the order of the layout.
    private let zeroPoints: UnsafeRawBufferPointer?
    private let factor: Float

    /// - Parameters:
    ///   - format: a format with codes of 4 or 8 bits.
    ///   - scales: the scales of the format, (rows, groups). For a format without scales they are the row factors, in float32,
    ///     float16 or bfloat16.
    ///   - factor: the factor of all rows, for other formats with row factors.
    init(
        _ format: QuantizedFormat, rows: Int, columns: Int, groups: ColumnGroups, codes: StoredTensor,
        scales: StoredTensor, zeroPoints: StoredTensor? = nil, factor: Float = 1
    ) {
        self.format = format
        self.rows = rows
        self.columns = columns
        self.groups = groups
        self.codes = codes.bytes
        self.scales = scales
        self.zeroPoints = zeroPoints?.bytes
        self.factor = factor
        parts = ([codes, scales] + [zeroPoints].compactMap(\.self)).map(MappedBytes.init)
    }

    func read(_ rows: Range<Int>, into target: QuantizedRows) {
        guard let codes = codes.baseAddress, let scales = scales.bytes.baseAddress else { return }
        let (size, bits) = (format.scales.bytes, format.codes.bits)
        let bytesOfRow = self.codes.count / max(self.rows, 1)
        for row in rows {
            let place = QuantizedRow(target, row)
            place.readPacked(codes + row * bytesOfRow, columns: columns, bits: bits)
            place.factor.pointee = format.scales == .none ? self.scales.float(row) ?? .nan : factor
            groups.copy(scales + row * groups.count * size, size: size, to: place.scales, columns: columns)
            guard let zeroPoints else { continue }
            groups.forEach(columns: columns) { group, stored in
                place.setZeroPoint(
                    CompressedLayout.zeroPoint(zeroPoints, bits: bits, row: row, group: stored, of: groups.count),
                    group)
            }
        }
    }

    func hasFiniteScales(pool: (any ParallelExecutor)?) -> Bool {
        // 6 * 2^(253 - 127) is infinite.
        format.scales == .exponent ? !scales.bytes.contains { $0 > 252 } : scales.areFiniteScales(pool: pool)
    }
}
