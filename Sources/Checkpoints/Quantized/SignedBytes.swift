import KernelInterface

/// A matrix of 8-bit integers, one for each element of a tensor, as compressed-tensors stores it with `int-quantized` and
/// `naive-quantized`.
final class SignedBytes: QuantizedMatrix {
    let format: QuantizedFormat
    let rows: Int
    let columns: Int
    let parts: [MappedBytes]
    private let groups: ColumnGroups
    private let codes: UnsafeRawBufferPointer
    /// (rows, groups), or one scale for the whole matrix.
    private let scales: StoredTensor
    /// Signed integers in the same shape.
    private let zeroPoints: UnsafeRawBufferPointer?
    /// The number of scales of a row; 0 if all rows have the same scale.
    private let rowScales: Int

    /// - Parameters:
    ///   - codes: (rows, columns) in int8.
    ///   - scales: (rows, groups) or one element, in float32, float16 or bfloat16.
    ///   - zeroPoints: int8, in the shape of the scales.
    init(
        rows: Int, columns: Int, groups: ColumnGroups, codes: StoredTensor, scales: StoredTensor,
        zeroPoints: StoredTensor?
    ) {
        self.rows = rows
        self.columns = columns
        self.groups = groups
        self.codes = codes.bytes
        self.scales = scales
        self.zeroPoints = zeroPoints?.bytes
        rowScales = scales.isSingle ? 0 : groups.count
        format = .integers(bits: 8, groups: groups, scales: scales.type.scales, isAsymmetric: zeroPoints != nil)
        parts = ([codes, scales] + [zeroPoints].compactMap(\.self)).map(MappedBytes.init)
    }

    func read(_ rows: Range<Int>, into target: QuantizedRows) {
        guard let codes = codes.baseAddress, let scales = scales.bytes.baseAddress else { return }
        // Flipping the highest bit adds 128.
        let (size, highestBit) = (format.scales.bytes, UInt8(0x80))
        for row in rows {
            let (place, first) = (QuantizedRow(target, row), row * rowScales)
            let source = codes.assumingMemoryBound(to: UInt8.self) + row * columns
            for column in 0..<columns { place.codes[column] = source[column] ^ highestBit }
            place.factor.pointee = format.scales == .none ? self.scales.float(first) ?? .nan : 1
            groups.copy(scales + first * size, size: size, to: place.scales, columns: columns)
            guard let zeroPoints else { continue }
            groups.forEach(columns: columns) { group, stored in
                place.setZeroPoint(zeroPoints[first + stored] ^ highestBit, group)
            }
        }
    }

    func hasFiniteScales(pool: (any ParallelExecutor)?) -> Bool { scales.areFiniteScales(pool: pool) }
}
