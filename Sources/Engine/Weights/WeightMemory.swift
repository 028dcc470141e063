/// Memory for packed weights. Matrices are adjacent in large mappings, so that matrices smaller than a huge page are in huge
/// pages too. A mapping is unmapped when this object and the last of its matrices are deallocated.
final class WeightMemory {
    /// A range of bytes, valid as long as this value or a copy of it exists.
    struct Piece {
        let base: UnsafeMutableRawPointer
        /// Keeps the memory mapped.
        private let mapping: HugePageMapping

        fileprivate init(base: UnsafeMutableRawPointer, mapping: HugePageMapping) {
            self.base = base
            self.mapping = mapping
        }
    }

    private static let mappingBytes = 64 << 20

    private var mappings: [(mapping: HugePageMapping, used: Int)] = []

    /// Where the matrices are, in the order of their allocation.
    var ranges: [UnsafeRawBufferPointer] {
        mappings.map { UnsafeRawBufferPointer(start: $0.mapping.base, count: $0.used) }
    }

    /// Zeroed memory, aligned to 64 bytes.
    func allocate(_ bytes: Int) -> Piece {
        let bytes = (max(bytes, 1) + 63) / 64 * 64
        if let (mapping, used) = mappings.last, used + bytes <= mapping.bytes {
            mappings[mappings.count - 1].used += bytes
            return Piece(base: mapping.base + used, mapping: mapping)
        }
        // The rest of the previous mapping stays unused. Except for at most one huge page, it was never resident.
        guard let mapping = HugePageMapping(bytes: max(bytes, Self.mappingBytes)) else {
            preconditionFailure("no address space for \(bytes) bytes of weights")
        }
        mappings.append((mapping, bytes))
        return Piece(base: mapping.base, mapping: mapping)
    }
}
