import KernelInterface

/// The groups of columns of a stored matrix, and those of its format in memory, of which each stored one has a whole number.
struct ColumnGroups: Equatable {
    /// Columns of a group in the file.
    let columns: Int
    /// Groups of a row in the file.
    let count: Int
    /// Columns of a group in memory.
    let packedColumns: Int

    /// - Parameter columns: a width; wider than a row: one group for all of it.
    /// - Returns: `nil` if no format has groups of a width that divides it.
    init?(of width: Int, columns: Int) {
        let count = max((columns + width - 1) / width, 1)
        guard let packed = [128, 64, 32, 16].first(where: { count == 1 || width.isMultiple(of: $0) }) else {
            return nil
        }
        self.columns = width
        self.count = count
        packedColumns = packed
    }

    /// Calls `body` with each group in memory of a row and the stored group that it is a part of.
    @inline(__always)
    func forEach(columns: Int, _ body: (_ group: Int, _ stored: Int) -> Void) {
        for group in 0..<(columns + packedColumns - 1) / packedColumns {
            body(group, min(group * packedColumns / self.columns, count - 1))
        }
    }
}

/// Integers of compressed-tensors (`pack-quantized`): words of 32 bits in the order of columns, an offset in each code.
final class PackedIntegers: QuantizedMatrix {
    let format: QuantizedFormat
    let rows: Int
    let columns: Int
    let parts: [MappedBytes]
    private let groups: ColumnGroups
    private let codes: UnsafeRawBufferPointer
    /// (rows, groups)
    private let scales: StoredTensor
    /// Along rows: (words, groups), eight rows in a word.
    private let zeroPoints: UnsafeRawBufferPointer?

    /// - Parameters:
    ///   - bits: 4 or 8; 4 with zero points.
    ///   - scales: float32, float16 or bfloat16.
    init(
        bits: Int, rows: Int, columns: Int, groups: ColumnGroups, codes: StoredTensor, scales: StoredTensor,
        zeroPoints: StoredTensor?
    ) {
        self.rows = rows
        self.columns = columns
        self.groups = groups
        self.codes = codes.bytes
        self.scales = scales
        self.zeroPoints = zeroPoints?.bytes
        parts = ([codes, scales] + [zeroPoints].compactMap(\.self)).map(MappedBytes.init)
        let kind: QuantizedFormat.Codes = bits == 4 ? .int4 : .int8
        if zeroPoints != nil {
            format = .asymmetric4(groupColumns: groups.packedColumns, scales: scales.type.scales)
        } else if groups.count == 1 {
            format = .channel(kind)
        } else {
            format = .grouped(kind, groupColumns: groups.packedColumns, scales: scales.type.scales)
        }
    }

    func read(_ rows: Range<Int>, into target: QuantizedRows) {
        guard let codes = codes.baseAddress, let scales = scales.bytes.baseAddress else { return }
        let size = format.scales.bytes
        let wordsOfRow = self.codes.count / 4 / max(self.rows, 1)
        for row in rows {
            let place = QuantizedRow(target, row)
            let source = codes + row * wordsOfRow * 4
            if format.codes.bits == 4 {
                place.setPairs(source, columns: columns)
            } else {
                place.codes.update(from: source.assumingMemoryBound(to: UInt8.self), count: columns)
            }
            if format.scales == .none {
                place.factor.pointee = self.scales.float(row) ?? .nan
                continue
            }
            groups.forEach(columns: columns) { group, stored in
                (place.scales + group * size).copyMemory(
                    from: scales + (row * groups.count + stored) * size, byteCount: size)
            }
            if let zeroPoints {
                groups.forEach(columns: columns) { group, stored in
                    let word = row / 8 * groups.count + stored
                    let bits = zeroPoints.loadUnaligned(fromByteOffset: word * 4, as: UInt32.self)
                    place.setZeroPoint(UInt8(bits >> UInt32(row % 8 * 4) & 15), group)
                }
            }
        }
    }

    func hasFiniteScales(pool: (any ParallelExecutor)?) -> Bool { scales.isFinite(pool: pool) }
}

extension QuantizedRow {
    func setZeroPoint(_ value: UInt8, _ group: Int) {
        minima.storeBytes(of: value, toByteOffset: group, as: UInt8.self)
    }
}

extension TensorType {
    /// The format of scales of this type.
    ///
    /// - Precondition: the audit lets no other type pass.
    var scales: QuantizedFormat.Scales {
        switch self {
        case .float32: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        default: preconditionFailure("not a type of scales")
        }
    }
}

extension StoredTensor {
    /// The element at `index` of a float32, float16 or bfloat16 tensor.
    func float(_ index: Int) -> Float? {
        let element = UnsafeRawBufferPointer(rebasing: bytes[index * type.size..<(index + 1) * type.size])
        return FloatConversion.floats(element, type: type)?.first
    }

    /// Whether all elements are finite.
    func isFinite(pool: (any ParallelExecutor)?) -> Bool {
        FiniteCheck.firstNotFinite(in: bytes, type: type, pool: pool) == nil
    }
}
