import KernelInterface

/// A matrix of 4-bit integers with zero points, as AWQ and GPTQ store it: 32-bit words of eight codes, with the inputs as the
/// outer dimension.
final class TransposedIntegers: QuantizedMatrix {
    enum Order: Equatable {
        /// AWQ's `gemm` format: words of eight outputs, (inputs, outputs / 8).
        case outputs
        /// GPTQ: words of eight inputs, (inputs / 8, outputs). A zero point is the stored value plus `zeroOffset`.
        case inputs(zeroOffset: UInt8)
    }

    let format: QuantizedFormat
    let rows: Int
    let columns: Int
    let parts: [MappedBytes]
    private let order: Order
    private let groups: ColumnGroups
    private let codes: UnsafeRawBufferPointer
    /// (groups, outputs / 8)
    private let zeroPoints: UnsafeRawBufferPointer
    /// (groups, outputs)
    private let scales: StoredTensor

    /// - Parameters:
    ///   - rows: a multiple of 8; with words of inputs, `columns` is one too.
    ///   - scales: (groups, outputs) in float32, float16 or bfloat16.
    init(
        _ order: Order, rows: Int, columns: Int, groups: ColumnGroups, codes: StoredTensor, scales: StoredTensor,
        zeroPoints: StoredTensor
    ) {
        self.order = order
        self.rows = rows
        self.columns = columns
        self.groups = groups
        self.codes = codes.bytes
        self.zeroPoints = zeroPoints.bytes
        self.scales = scales
        format = .asymmetric(.uint4, groupColumns: groups.packedColumns, scales: scales.type.scales)
        parts = [codes, scales, zeroPoints].map(MappedBytes.init)
    }

    /// Returns the position of an output in AWQ's word of eight consecutive outputs.
    private static func place(of output: Int) -> Int { output % 2 * 4 + output % 8 / 2 }

    private func word(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
    }

    func read(_ rows: Range<Int>, into target: QuantizedRows) {
        readCodes(rows, into: target)
        let size = format.scales.bytes
        guard let scales = scales.bytes.baseAddress else { return }
        for row in rows {
            let place = QuantizedRow(target, row)
            let shift = UInt32(4 * (order == .outputs ? Self.place(of: row) : row % 8))
            groups.forEach(columns: columns) { group, stored in
                (place.scales + group * size).copyMemory(
                    from: scales + (stored * self.rows + row) * size, byteCount: size)
                let bits = UInt8(word(zeroPoints, stored * (self.rows / 8) + row / 8) >> shift & 15)
                if case .inputs(let offset) = order {
                    place.setZeroPoint(bits + offset, group)
                } else {
                    place.setZeroPoint(bits, group)
                }
            }
        }
    }

    /// Reads the codes in memory order: for a given input, the words of all rows are adjacent.
    private func readCodes(_ rows: Range<Int>, into target: QuantizedRows) {
        if order == .outputs {
            for column in 0..<columns {
                for row in rows {
                    let bits = word(codes, column * (self.rows / 8) + row / 8)
                    target.codes[row % 16 * target.codeStride + column] =
                        UInt8(bits >> UInt32(4 * Self.place(of: row)) & 15)
                }
            }
        } else {
            for eighth in 0..<columns / 8 {
                for row in rows {
                    let bits = word(codes, eighth * self.rows + row)
                    let place = target.codes + row % 16 * target.codeStride + 8 * eighth
                    for index in 0..<8 { place[index] = UInt8(bits >> UInt32(4 * index) & 15) }
                }
            }
        }
    }

    func hasFiniteScales(pool: (any ParallelExecutor)?) -> Bool { scales.areFiniteScales(pool: pool) }
}
