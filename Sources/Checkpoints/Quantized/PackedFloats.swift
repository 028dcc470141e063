import KernelInterface

/// Codes in E2M1, two in a byte and the even column in the low half: NVFP4 and MXFP4 of compressed-tensors, NVFP4 of ModelOpt.
final class PackedFloats: QuantizedMatrix {
    let format: QuantizedFormat
    let rows: Int
    let columns: Int
    let parts: [MappedBytes]
    private let codes: UnsafeRawBufferPointer
    /// (rows, groups), a byte each.
    private let scales: StoredTensor
    private let factor: Float

    /// - Parameters:
    ///   - format: in E2M1 with scales of one byte.
    ///   - codes: (rows, columns / 2)
    ///   - scales: (rows, groups)
    ///   - factor: the global scale, as the format uses it.
    init(
        _ format: QuantizedFormat, rows: Int, columns: Int, codes: StoredTensor, scales: StoredTensor,
        factor: Float = 1
    ) {
        self.format = format
        self.rows = rows
        self.columns = columns
        self.codes = codes.bytes
        self.scales = scales
        self.factor = factor
        parts = [MappedBytes(codes), MappedBytes(scales)]
    }

    func read(_ rows: Range<Int>, into target: QuantizedRows) {
        guard let codes = codes.baseAddress, let scales = scales.bytes.baseAddress else { return }
        let groups = self.scales.bytes.count / max(self.rows, 1)
        for row in rows {
            let place = QuantizedRow(target, row)
            place.factor.pointee = factor
            place.setPairs(codes + row * (columns / 2), columns: columns)
            place.scales.copyMemory(from: scales + row * groups, byteCount: groups)
        }
    }

    func hasFiniteScales(pool: (any ParallelExecutor)?) -> Bool {
        format.scales == .exponent ? !scales.bytes.contains(255) : scales.isFinite(pool: pool)
    }
}
