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

    /// Copies the elements of `size` bytes that a row has for its stored groups to each of its groups in memory.
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
