/// A comparison of what the ranks report about themselves.
struct RankAgreement {
    /// The reports in order of rank.
    let hellos: [RankHello]

    /// The differences between the ranks, with their machines: "--compute is exact on b (rank 1), fast on a (rank 0)". Empty if the
    /// ranks are compatible.
    var differences: [String] {
        var lines: [String] = []
        var names: [String] = []
        for hello in hellos {
            for term in hello.terms where !names.contains(term.name) { names.append(term.name) }
        }
        for name in names {
            let values = hellos.map { hello in hello.terms.first { $0.name == name }?.value ?? "unknown" }
            guard Set(values).count > 1 else { continue }
            let groups = Dictionary(grouping: values.indices, by: { values[$0] })
            let texts = groups.sorted { $0.value[0] < $1.value[0] }.map { value, ranks in
                "\(value) on \(ranks.map(place).joined(separator: ", "))"
            }
            lines.append("\(name) is \(texts.joined(separator: " and "))")
        }
        return lines
    }

    /// The fastest kernel set that all CPUs support, or `nil` if they have none in common.
    var kernelSet: String? {
        hellos.first?.kernelSets.last { set in hellos.allSatisfy { $0.kernelSets.contains(set) } }
    }

    /// The machines whose CPUs support a faster set than ``kernelSet``: "b (rank 1) has avx512".
    var idleKernelSets: [String] {
        guard let kernelSet else { return [] }
        return hellos.enumerated().compactMap { rank, hello in
            guard let best = hello.kernelSets.last, best != kernelSet else { return nil }
            return "\(place(rank)) has \(best)"
        }
    }

    /// The number of ranks on the machine of each rank.
    var ranksOnMachine: [Int] {
        hellos.map { hello in hellos.count { $0.machine == hello.machine } }
    }

    /// The share of its CPUs that each rank uses. Ranks of one machine that may use the same CPUs divide them. `nil` if a rank
    /// shares only some of its CPUs with another rank.
    var cpuShares: [CPUShare?] {
        hellos.indices.map { rank in
            let sharing = hellos.indices.filter { other in
                hellos[other].machine == hellos[rank].machine
                    && !Set(hellos[other].cpus).isDisjoint(with: hellos[rank].cpus)
            }
            guard sharing.allSatisfy({ hellos[$0].cpus == hellos[rank].cpus }) else { return nil }
            return CPUShare(index: sharing.firstIndex(of: rank) ?? 0, count: max(sharing.count, 1))
        }
    }

    /// The number of ranks in the control group of each rank.
    var ranksInGroup: [Int] {
        hellos.map { hello in hellos.count { $0.machine == hello.machine && $0.group == hello.group } }
    }

    /// The memory that each rank may use: an equal share of its machine's and of its control group's memory, whichever is smaller.
    var memory: [Int] {
        hellos.indices.map { rank in
            min(hellos[rank].machineMemory / ranksOnMachine[rank], hellos[rank].groupMemory / ranksInGroup[rank])
        }
    }

    /// Returns the number of layers of each rank.
    ///
    /// - Parameter given: The numbers that the operator chose, for weights in all of the ``memory``. With `nil`, layers are divided
    ///   so that the slowest rank is as fast as possible, and an eighth of the memory remains for activations and the KV cache.
    func layerCounts(_ planner: StagePlanner, given: [Int]?) throws(StagePlanner.Failure) -> [Int] {
        guard let given else { return try planner.layerCounts(memory: memory.map { $0 - $0 / 8 }) }
        try planner.check(given, memory: memory)
        return given
    }

    private func place(_ rank: Int) -> String { "\(hellos[rank].host) (rank \(rank))" }
}
