import KernelInterface

/// The groups of columns of a stored matrix, and the groups of its format in memory. A stored group is a whole number of groups
/// in memory.
struct ColumnGroups: Equatable {
    /// The columns of a group in the file.
    let columns: Int
    /// The number of groups of a row in the file.
    let count: Int
    /// The columns of a group in memory.
    let packedColumns: Int

    /// - Parameters:
    ///   - width: the columns of a stored group; a width beyond the row means one group for the whole row.
    ///   - columns: the columns of a row.
    /// - Returns: `nil` if no format has groups whose width divides `width`.
    init?(of width: Int, columns: Int) {
        let count = max((columns + width - 1) / width, 1)
        guard let packed = [128, 64, 32, 16].first(where: { count == 1 || width.isMultiple(of: $0) }) else {
            return nil
        }
        self.columns = width
        self.count = count
        packedColumns = packed
    }

    /// Calls `body` with each group in memory of a row, and with the stored group that it belongs to.
    @inline(__always)
    func forEach(columns: Int, _ body: (_ group: Int, _ stored: Int) -> Void) {
        for group in 0..<(columns + packedColumns - 1) / packedColumns {
            body(group, min(group * packedColumns / self.columns, count - 1))
        }
    }

    /// Copies the elements of a row, which have `size` bytes, from its stored groups to its groups in memory.
    @inline(__always)
    func copy(_ source: UnsafeRawPointer, size: Int, to target: UnsafeMutableRawPointer, columns: Int) {
        guard packedColumns != self.columns else {
            target.copyMemory(from: source, byteCount: count * size)
            return
        }
        forEach(columns: columns) { group, stored in
            (target + group * size).copyMemory(from: source + stored * size, byteCount: size)
        }
    }
}

extension QuantizedRow {
    func setZeroPoint(_ value: UInt8, _ group: Int) {
        minima.storeBytes(of: value, toByteOffset: group, as: UInt8.self)
    }
}

extension TensorType {
    /// The format of scales with this type.
    ///
    /// - Precondition: the type is float32, float16 or bfloat16; the audit rejects other types.
    var scales: QuantizedFormat.Scales {
        switch self {
        case .float32: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        default: preconditionFailure("not a type of scales")
        }
    }
}

extension QuantizedFormat {
    /// Returns the format of integers of 4 or 8 bits.
    ///
    /// - Parameters:
    ///   - scales: the type of the scales.
    ///   - isAsymmetric: whether each group has a zero point.
    static func integers(bits: Int, groups: ColumnGroups, scales: Scales, isAsymmetric: Bool) -> QuantizedFormat {
        let width = groups.packedColumns
        if isAsymmetric { return .asymmetric(bits == 4 ? .uint4 : .uint8, groupColumns: width, scales: scales) }
        let codes: Codes = bits == 4 ? .int4 : .int8
        return groups.count == 1 ? .channel(codes) : .grouped(codes, groupColumns: width, scales: scales)
    }
}

extension StoredTensor {
    /// Whether the tensor has one element, in any number of dimensions.
    var isSingle: Bool { shape.allSatisfy { $0 == 1 } }

    /// Returns the element at `index` of a float32, float16 or bfloat16 tensor.
    func float(_ index: Int) -> Float? {
        let element = UnsafeRawBufferPointer(rebasing: bytes[index * type.size..<(index + 1) * type.size])
        return FloatConversion.floats(element, type: type)?.first
    }

    /// Whether all elements are finite scales, and so small that weights are finite.
    func areFiniteScales(pool: (any ParallelExecutor)?) -> Bool {
        FiniteCheck.firstNotFinite(in: bytes, type: type, areScales: true, pool: pool) == nil
    }
}
