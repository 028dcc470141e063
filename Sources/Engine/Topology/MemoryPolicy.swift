import CNUMA

/// The NUMA nodes on which pages are placed when they are first touched.
enum MemoryPolicy: Equatable {
    /// One node, by Linux's number. Other nodes are used if it has no free memory, because slow memory is better than the end of
    /// the process.
    case preferred(Int)
    /// Several nodes in turn, page by page.
    case interleaved([Int])

    /// Applies the policy to a range of memory, in whole pages of the system.
    ///
    /// - Returns: 0 or the system's error number. Containers may forbid the call (EPERM), and kernels without NUMA do not support
    ///   it (ENOSYS). The memory can be used regardless.
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
