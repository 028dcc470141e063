import CNUMA

/// The NUMA nodes that pages come from when they are first touched.
enum MemoryPolicy: Equatable {
    /// One node, by Linux's number; others when it has no free memory, since a slow page is better than the end of the process.
    case preferred(Int)
    /// Several in turn, page by page.
    case interleaved([Int])

    /// Applies to whole pages of the system.
    ///
    /// - Returns: 0, or the system's error number. Containers may forbid the call (EPERM), and kernels without NUMA do not have
    ///   it (ENOSYS). The memory can be used all the same.
    func set(_ base: UnsafeMutableRawPointer, bytes: Int) -> Int32 {
        let (policy, nodes): (Int32, [Int])
        switch self {
        case .preferred(let node): (policy, nodes) = (trinity_preferred_node, [node])
        case .interleaved(let several): (policy, nodes) = (trinity_interleaved_nodes, several)
        }
        let bits = UInt.bitWidth
        var mask = [UInt](repeating: 0, count: (nodes.max() ?? 0) / bits + 1)
        for node in nodes { mask[node / bits] |= 1 << (node % bits) }
        return trinity_set_memory_policy(base, UInt(bytes), policy, mask, UInt(mask.count * bits))
    }
}
