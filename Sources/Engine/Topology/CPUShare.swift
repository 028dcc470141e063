/// One of several equal parts of a machine's cores, for ranks that may use the same CPUs.
struct CPUShare: Sendable, Equatable {
    /// The number of this part, from 0.
    let index: Int
    /// The number of parts.
    let count: Int

    /// All cores, for a process that shares its CPUs with no other.
    static let whole = CPUShare(index: 0, count: 1)

    /// Returns this part of the CPUs, with all hardware threads of its cores, or `nil` if there are fewer cores than parts.
    ///
    /// - Parameter cpus: CPUs in the order of ``CPUTopology/byPreference``. The parts take cores in turn, so each has as many fast
    ///   cores as the others. As many parts as nodes are one on each node.
    func part(of cpus: [CPUTopology.CPU]) -> [CPUTopology.CPU]? {
        guard count > 1 else { return cpus }
        var parts: [Int: Int] = [:]
        for cpu in cpus where parts[cpu.core] == nil { parts[cpu.core] = parts.count % count }
        return parts.count < count ? nil : cpus.filter { parts[$0.core] == index }
    }
}
