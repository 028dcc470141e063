/// Memory for packed weights. Matrices lie side by side in large mappings, so that huge pages hold them even where a matrix
/// is smaller than such a page. A mapping is given back when the last of its matrices is gone.
final class WeightMemory {
    /// A run of bytes, which exists as long as this value or a copy of it.
    struct Piece {
        let base: UnsafeMutableRawPointer
        /// Keeps the memory.
        private let mapping: HugePageMapping

        fileprivate init(base: UnsafeMutableRawPointer, mapping: HugePageMapping) {
            self.base = base
            self.mapping = mapping
        }
    }

    private static let mappingBytes = 64 << 20

    private var mapping: HugePageMapping?
    private var used = 0

    /// Zeros, at a multiple of 64 bytes.
    func allocate(_ bytes: Int) -> Piece {
        let bytes = (max(bytes, 1) + 63) / 64 * 64
        if let mapping, used + bytes <= mapping.bytes {
            defer { used += bytes }
            return Piece(base: mapping.base + used, mapping: mapping)
        }
        // The rest of the mapping before is lost, but for one huge page it has never been resident.
        guard let mapping = HugePageMapping(bytes: max(bytes, Self.mappingBytes)) else {
            preconditionFailure("no address space for \(bytes) bytes of weights")
        }
        self.mapping = mapping
        used = bytes
        return Piece(base: mapping.base, mapping: mapping)
    }
}
