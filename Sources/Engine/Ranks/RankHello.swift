/// What a rank says about itself when it starts.
package struct RankHello: Equatable {
    /// A property that must be the same on all ranks.
    package struct Term: Equatable {
        /// As in messages: "--compute", "the build".
        var name: String
        var value: String
    }

    /// The name of the machine, for messages.
    var host: String
    /// Differs between machines, and is the same for all ranks of one.
    var machine: String
    /// Differs between control groups of a machine.
    var group: String
    /// The bytes that are free on the machine, for all of its ranks.
    var machineMemory: Int
    /// The bytes that the control group may still use, for all of its ranks.
    var groupMemory: Int
    /// Numbers of the CPUs that it may use.
    var cpus: [Int]
    /// Kernel sets of the CPU, in ascending order of speed.
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
