import CIntrinsics

/// The number of compute threads and their CPUs, decided once before the threads start.
package struct ThreadPlan: Sendable, Equatable {
    /// The number of threads, at least 1.
    package let threads: Int
    /// The CPU of each thread if threads are pinned, otherwise empty.
    package let pinnedCPUs: [Int]
    /// The nodes of the threads and of the memory of their weights. There is one node, on which the system places the memory, if
    /// the threads are not pinned, if all are on one node, or if `numa` is `off`.
    package let nodes: NodePlan
    /// A description of the topology and of the choice, for the log.
    package let summary: String

    /// Plans one thread per physical core by default, because the hardware threads of a core share its arithmetic units, and the
    /// threads of a parallel region wait for the slowest.
    ///
    /// - Parameters:
    ///   - topology: The CPUs that the process may use.
    ///   - quota: The CPU quota of the control group in CPUs, or `nil` for no limit. With a limit, the kernel should be able to
    ///     move threads, so they are pinned only to explicitly requested CPUs.
    ///   - threads: The requested number of threads. More than one per CPU is not useful.
    ///   - cpus: The requested CPUs, which are a subset of those of the topology. Without `threads`, each gets a thread.
    ///   - share: The part of these CPUs that is used if other processes have the other parts. With fewer cores than parts, all are
    ///     used, and threads are not pinned.
    ///   - pins: Whether threads may be pinned.
    ///   - numa: Whether weights may be divided among nodes.
    init(
        _ topology: CPUTopology, quota: Double? = nil, threads: Int? = nil, cpus: CPUList? = nil,
        share: CPUShare = .whole, pins: Bool = true, numa: EngineOptions.NUMA = .auto
    ) {
        let all = topology.byPreference.filter { cpus?.numbers.contains($0.number) ?? true }
        let part = share.part(of: all)
        let usable = part ?? all
        self.threads =
            threads
            ?? Self.available(cpus: cpus == nil ? Set(usable.map(\.core)).count : usable.count, quota: quota)
        let isPinned = pins && part != nil && (quota == nil || cpus != nil) && self.threads <= usable.count
        // The threads of a node have adjacent numbers, because neighbors share signals and take work from each other first.
        let pinned = isPinned ? Self.byNode(usable.prefix(self.threads)) : []
        pinnedCPUs = pinned.map(\.number)
        let isDivided = numa == .auto && Set(pinned.map(\.node)).count > 1
        nodes = isDivided ? NodePlan(ofThreads: pinned.map(\.node)) : NodePlan(threads: self.threads)

        let efficiency = topology.efficiencyCores
        let parts = [
            Self.count(topology.packages, "package"), Self.count(topology.nodes, "NUMA node"),
            Self.count(topology.cores, "core") + (efficiency > 0 ? " (\(efficiency) of them efficiency cores)" : ""),
            Self.count(topology.cpus.count, "CPU"),
        ]
        summary =
            parts.joined(separator: ", ") + (quota.map { ", quota of \($0) CPUs" } ?? "") + "; "
            + Self.count(self.threads, "compute thread")
            + (pinnedCPUs.isEmpty ? ", not pinned" : " on CPUs \(CPUList(pinnedCPUs))")
            + (isDivided ? ", weights divided among \(nodes.nodes.count) nodes" : "")
    }

    /// Returns the CPUs in ascending order of nodes, and otherwise in the same order.
    private static func byNode(_ cpus: some Sequence<CPUTopology.CPU>) -> [CPUTopology.CPU] {
        Dictionary(grouping: cpus, by: \.node).sorted { $0.key < $1.key }.flatMap(\.value)
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

extension ThreadPlan {
    /// Returns the plan for this machine.
    ///
    /// - Throws: `EngineError.unsupported` if the process may not use all of `cpus`.
    static func ofMachine(
        threads: Int? = nil, cpus: CPUList? = nil, share: CPUShare = .whole, pins: Bool = true,
        numa: EngineOptions.NUMA = .auto
    )
        throws(EngineError) -> Self
    {
        let allowed = CPUList.ofProcess()
        if let cpus, !Set(cpus.numbers).isSubset(of: allowed.numbers) {
            throw .unsupported("--cpus \(cpus): this process may only use the CPUs \(allowed)")
        }
        return Self(
            CPUTopology(allowed: allowed), quota: ControlGroup().cpuQuota, threads: threads, cpus: cpus, share: share,
            pins: pins, numa: numa)
    }

    /// The default number of threads on this machine.
    package static var defaultThreads: Int {
        Self(CPUTopology(allowed: .ofProcess()), quota: ControlGroup().cpuQuota).threads
    }

    /// Returns the number of threads that this process can run at once on `cpus`, or on all CPUs of its affinity mask: the number
    /// of hardware threads, limited by the quota of its control group, and at least 1.
    package static func available(on cpus: CPUList? = nil) -> Int {
        available(cpus: (cpus ?? .ofProcess()).numbers.count, quota: ControlGroup().cpuQuota)
    }

    /// Returns a warning if more than the available threads were asked for, otherwise `nil`.
    package static func warning(asked: Int?, available: Int = available()) -> String? {
        guard let asked, asked > available else { return nil }
        return "--threads \(asked) reduced to \(available), the CPUs that this process may use"
    }

    static func available(cpus: Int, quota: Double?) -> Int {
        max(min(cpus, quota.map { Int($0) } ?? cpus), 1)
    }
}

extension CPUList {
    /// Returns the CPUs of the calling thread's affinity mask.
    static func ofProcess() -> Self {
        let capacity = 1024
        return Self(
            [Int32](unsafeUninitializedCapacity: capacity) { buffer, count in
                count = Int(trinity_affinity_cpus(buffer.baseAddress, Int32(capacity)))
            }.map { Int($0) })
    }
}
