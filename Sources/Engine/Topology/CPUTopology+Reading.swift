import Foundation

extension CPUTopology {
    /// Reads the topology from Linux's `/sys`. Missing information, as on many virtual machines, means that nothing is shared: each
    /// CPU is a core, and all cores are in one package, on one node and of one kind.
    ///
    /// - Parameters:
    ///   - allowed: The CPUs of the affinity mask. If empty, CPU 0 is used.
    ///   - system: The path of `/sys`.
    init(allowed: CPUList, system: String = "/sys") {
        let nodes = Self.nodes(system)
        cpus = (allowed.numbers.isEmpty ? [0] : allowed.numbers).map { number in
            let folder = "\(system)/devices/system/cpu/cpu\(number)"
            let siblings =
                Self.list("\(folder)/topology/core_cpus_list") ?? Self.list("\(folder)/topology/thread_siblings_list")
            return CPU(
                number: number,
                // It is -1 if the firmware does not provide it.
                package: max(Self.number("\(folder)/topology/physical_package_id") ?? 0, 0),
                node: nodes[number] ?? 0,
                core: siblings?.first ?? number,
                cache: Self.lastCache(folder) ?? number,
                capacity: Self.number("\(folder)/cpu_capacity") ?? Self.number("\(folder)/cpufreq/cpuinfo_max_freq")
                    ?? 0)
        }
    }

    /// Returns the node of each CPU.
    private static func nodes(_ system: String) -> [Int: Int] {
        let folder = "\(system)/devices/system/node"
        var nodes: [Int: Int] = [:]
        for node in list("\(folder)/online") ?? [] {
            for cpu in list("\(folder)/node\(node)/cpulist") ?? [] { nodes[cpu] = node }
        }
        return nodes
    }

    /// Returns the first CPU that shares the highest level of cache.
    private static func lastCache(_ cpu: String) -> Int? {
        var best: (level: Int, first: Int)?
        for index in 0..<8 {
            guard let level = number("\(cpu)/cache/index\(index)/level") else { break }
            if level > best?.level ?? 0, let first = list("\(cpu)/cache/index\(index)/shared_cpu_list")?.first {
                best = (level, first)
            }
        }
        return best?.first
    }

    private static func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

    private static func list(_ path: String) -> [Int]? { text(path).flatMap { CPUList($0) }?.numbers }

    private static func text(_ path: String) -> String? {
        (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
