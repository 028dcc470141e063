/// The report of a rank about itself at start.
package struct RankHello: Equatable {
    /// A property that must be the same on all ranks.
    package struct Term: Equatable {
        /// The name in messages, such as "--compute" or "the build".
        var name: String
        var value: String
    }

    /// The host name, for messages.
    var host: String
    /// An id that is the same for all ranks of one machine and differs between machines.
    var machine: String
    /// An id that differs between the control groups of a machine.
    var group: String
    /// The number of bytes that are free on the machine, for all of its ranks.
    var machineMemory: Int
    /// The number of bytes that the control group may still use, for all of its ranks.
    var groupMemory: Int
    /// The numbers of the CPUs that the rank may use.
    var cpus: [Int]
    /// The kernel sets that the CPU supports, in ascending order of speed.
    var kernelSets: [String]
    var terms: [Term]

    private static let longestText = 1024
    private static let longestList = 64

    package var bytes: [UInt8] {
        var writer = RankWriter()
        writer.add(host)
        writer.add(machine)
        writer.add(group)
        writer.add(UInt64(max(machineMemory, 0)))
        writer.add(UInt64(max(groupMemory, 0)))
        writer.add(UInt32(cpus.count))
        for cpu in cpus { writer.add(UInt32(cpu)) }
        writer.add(UInt32(kernelSets.count))
        for set in kernelSets { writer.add(set) }
        writer.add(UInt32(terms.count))
        for term in terms {
            writer.add(term.name)
            writer.add(term.value)
        }
        return writer.bytes
    }

    init(
        host: String, machine: String, group: String, machineMemory: Int, groupMemory: Int, cpus: [Int],
        kernelSets: [String], terms: [Term]
    ) {
        self.host = String(host.prefix(255))
        self.machine = machine
        self.group = group
        self.machineMemory = machineMemory
        self.groupMemory = groupMemory
        self.cpus = cpus
        self.kernelSets = kernelSets
        self.terms = terms
    }

    package init(_ bytes: [UInt8]) throws(RankMessageError) {
        var reader = RankReader(bytes)
        host = try reader.text(atMost: Self.longestText)
        machine = try reader.text(atMost: Self.longestText)
        group = try reader.text(atMost: Self.longestText)
        machineMemory = Int(min(try reader.integer(UInt64.self), UInt64(Int.max)))
        groupMemory = Int(min(try reader.integer(UInt64.self), UInt64(Int.max)))
        cpus = try reader.list(atMost: 4096) { reader throws(RankMessageError) in
            try reader.count(in: 0...1 << 20, "a CPU")
        }
        kernelSets = try reader.list(atMost: Self.longestList) { reader throws(RankMessageError) in
            try reader.text(atMost: Self.longestText)
        }
        terms = try reader.list(atMost: Self.longestList) { reader throws(RankMessageError) in
            Term(name: try reader.text(atMost: Self.longestText), value: try reader.text(atMost: Self.longestText))
        }
        try reader.end()
    }
}
