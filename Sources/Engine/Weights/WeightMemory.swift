/// The memory of packed weights. Matrices are adjacent in large mappings, so that matrices smaller than a huge page are also in
/// huge pages. Each NUMA node has its own mappings. A mapping is unmapped when this object and the last of its matrices are
/// deallocated.
final class WeightMemory {
    /// A range of bytes, valid as long as this value or a copy of it exists.
    struct Piece {
        let base: UnsafeMutableRawPointer
        /// The mapping, which keeps the memory mapped.
        private let mapping: HugePageMapping

        fileprivate init(base: UnsafeMutableRawPointer, mapping: HugePageMapping) {
            self.base = base
            self.mapping = mapping
        }
    }

    private static let mappingBytes = 64 << 20

    private let nodes: NodePlan
    /// The mappings of each node, with the number of used bytes.
    private var mappings: [[(mapping: HugePageMapping, used: Int)]]

    init(nodes: NodePlan = NodePlan(threads: 1)) {
        self.nodes = nodes
        mappings = nodes.nodes.map { _ in [] }
    }

    /// The memory of the matrices of each node, in the order of their allocation.
    var ranges: [[UnsafeRawBufferPointer]] {
        mappings.map { $0.map { UnsafeRawBufferPointer(start: $0.mapping.base, count: $0.used) } }
    }

    /// The first error number if the system refused to place pages on a node, otherwise 0.
    var placementError: Int32 {
        for (mapping, _) in mappings.joined() where mapping.placementError != 0 { return mapping.placementError }
        return 0
    }

    /// Allocates zeroed memory, aligned to 64 bytes.
    ///
    /// - Parameter node: The index of its node in the plan.
    func allocate(_ bytes: Int, node: Int = 0) -> Piece {
        let bytes = (max(bytes, 1) + 63) / 64 * 64
        if let (mapping, used) = mappings[node].last, used + bytes <= mapping.bytes {
            mappings[node][mappings[node].count - 1].used += bytes
            return Piece(base: mapping.base + used, mapping: mapping)
        }
        // The rest of the previous mapping stays unused. Except for at most one huge page, it never became resident.
        guard let mapping = HugePageMapping(bytes: max(bytes, Self.mappingBytes), node: nodes.nodes[node].number)
        else {
            preconditionFailure("no address space for \(bytes) bytes of weights")
        }
        mappings[node].append((mapping, bytes))
        return Piece(base: mapping.base, mapping: mapping)
    }
}
