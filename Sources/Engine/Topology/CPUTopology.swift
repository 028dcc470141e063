/// The CPUs that the process may use, and the cores, caches and nodes that they share.
struct CPUTopology: Sendable, Equatable {
    /// A hardware thread, which Linux calls a CPU.
    struct CPU: Sendable, Equatable {
        let number: Int
        let package: Int
        /// The NUMA node of its memory.
        let node: Int
        /// The lowest number of the hardware threads of the same physical core.
        let core: Int
        /// The lowest number of the CPUs that share the last-level cache.
        let cache: Int
        /// The speed in any unit, or 0 if unknown.
        let capacity: Int
    }

    /// The CPUs in ascending order of numbers. Never empty.
    let cpus: [CPU]

    /// The share of the fastest core's speed below which a core is an efficiency core. The fastest cores of one kind differ by a
    /// few percent, and efficiency cores have three quarters of their frequency or less.
    private static let performanceShare = 0.8

    private func isPerformance(_ cpu: CPU, fastest: Int) -> Bool {
        Double(cpu.capacity) >= Self.performanceShare * Double(fastest)
    }

    var cores: Int { Set(cpus.map(\.core)).count }
    var nodes: Int { Set(cpus.map(\.node)).count }
    var packages: Int { Set(cpus.map(\.package)).count }
    var efficiencyCores: Int {
        let fastest = cpus.map(\.capacity).max() ?? 0
        return Set(cpus.filter { !isPerformance($0, fastest: fastest) }.map(\.core)).count
    }

    /// All CPUs, the best first: one hardware thread of each performance core, one of each efficiency core, and then the second
    /// hardware threads in the same order. Nodes alternate, and so do the caches of a node, since each has its own path to memory.
    var byPreference: [CPU] {
        let fastest = cpus.map(\.capacity).max() ?? 0
        var counts: [[Int]: Int] = [:]
        /// Returns the number of earlier calls with the same key.
        func turn(_ key: Int...) -> Int {
            defer { counts[key, default: 0] += 1 }
            return counts[key, default: 0]
        }
        let ranked = cpus.map { cpu in
            let thread = turn(0, cpu.core)
            let kind = isPerformance(cpu, fastest: fastest) ? 0 : 1
            let ofCache = turn(1, thread, kind, cpu.cache)
            let ofNode = turn(2, thread, kind, ofCache, cpu.node)
            return (rank: [thread, kind, ofCache, ofNode, cpu.node], cpu: cpu)
        }
        return ranked.sorted { $0.rank.lexicographicallyPrecedes($1.rank) }.map(\.cpu)
    }
}
