/// The terms that all ranks have agreed on.
package struct RankTerms: Equatable {
    /// The number of layers of each rank.
    var layerCounts: [Int]
    /// The kernel set, or `nil` if each rank makes the same choice by itself.
    var kernelSet: String?
    /// The host name of each rank.
    var hosts: [String]
    /// The number of ranks on the machine of each rank, which share its memory.
    var ranksOnMachine: [Int]
    /// The number of these ranks in the control group of each rank, which share its limit.
    var ranksInGroup: [Int]
    /// The share of its CPUs that each rank uses, or `nil` if they cannot be divided.
    var cpuShares: [CPUShare?]

    package var bytes: [UInt8] {
        var writer = RankWriter()
        writer.add(UInt32(layerCounts.count))
        for rank in layerCounts.indices {
            writer.add(UInt32(layerCounts[rank]))
            writer.add(UInt32(ranksOnMachine[rank]))
            writer.add(UInt32(ranksInGroup[rank]))
            writer.add(UInt32(cpuShares[rank]?.count ?? 0))
            writer.add(UInt32(cpuShares[rank]?.index ?? 0))
            writer.add(hosts[rank])
        }
        writer.add(kernelSet ?? "")
        return writer.bytes
    }

    init(
        layerCounts: [Int], kernelSet: String?, hosts: [String], ranksOnMachine: [Int], ranksInGroup: [Int],
        cpuShares: [CPUShare?]
    ) {
        self.layerCounts = layerCounts
        self.kernelSet = kernelSet
        self.hosts = hosts
        self.ranksOnMachine = ranksOnMachine
        self.ranksInGroup = ranksInGroup
        self.cpuShares = cpuShares
    }

    /// - Parameters:
    ///   - ranks: The number of ranks.
    ///   - layers: The number of layers of the model.
    package init(_ bytes: [UInt8], ranks: Int, layers: Int) throws(RankMessageError) {
        var reader = RankReader(bytes)
        (layerCounts, hosts, ranksOnMachine, ranksInGroup, cpuShares) = ([], [], [], [], [])
        for _ in 0..<(try reader.count(in: ranks...ranks, "the number of ranks")) {
            layerCounts.append(try reader.count(in: 1...layers, "a number of layers"))
            ranksOnMachine.append(try reader.count(in: 1...ranks, "a number of ranks"))
            ranksInGroup.append(try reader.count(in: 1...ranks, "a number of ranks"))
            let shares = try reader.count(in: 0...ranks, "the number of shares of CPUs")
            let index = try reader.count(in: 0...max(shares - 1, 0), "the number of a share")
            cpuShares.append(shares == 0 ? nil : CPUShare(index: index, count: shares))
            hosts.append(try reader.text(atMost: 1024))
        }
        guard layerCounts.reduce(0, +) == layers else {
            throw RankMessageError(reason: "divides \(layerCounts.reduce(0, +)) layers, not \(layers)")
        }
        let set = try reader.text(atMost: 64)
        kernelSet = set.isEmpty ? nil : set
        try reader.end()
    }
}
