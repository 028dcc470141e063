import Testing

@testable import Engine

@Suite struct RankAgreementTests {
    private static func hello(
        _ host: String, machine: String? = nil, group: String = "/", memory: Int = 100, limit: Int = .max,
        cpus: [Int] = [0, 1], sets: [String] = ["portable", "avx2"], build: String = "1", compute: String = "fast"
    ) -> RankHello {
        RankHello(
            host: host, machine: machine ?? host, group: group, machineMemory: memory, groupMemory: limit, cpus: cpus,
            kernelSets: sets,
            terms: [.init(name: "the build", value: build), .init(name: "--compute", value: compute)])
    }

    @Test func `equal ranks have no differences`() {
        let agreement = RankAgreement(hellos: [Self.hello("a"), Self.hello("b"), Self.hello("c")])
        #expect(agreement.differences.isEmpty)
        #expect(agreement.idleKernelSets.isEmpty)
    }

    @Test func `every difference is listed with its hosts`() {
        let agreement = RankAgreement(hellos: [
            Self.hello("a"), Self.hello("b", build: "2"), Self.hello("c", build: "2", compute: "exact"),
        ])
        #expect(
            agreement.differences == [
                "the build is 1 on a (rank 0) and 2 on b (rank 1), c (rank 2)",
                "--compute is fast on a (rank 0), b (rank 1) and exact on c (rank 2)",
            ])
    }

    @Test func `a property that a rank does not have is a difference`() {
        var other = Self.hello("b")
        other.terms.removeLast()
        #expect(
            RankAgreement(hellos: [Self.hello("a"), other]).differences
                == ["--compute is fast on a (rank 0) and unknown on b (rank 1)"])
    }

    @Test func `the kernels are the fastest that all have`() {
        let all = ["portable", "avx2", "avx512"]
        let agreement = RankAgreement(hellos: [Self.hello("a", sets: all), Self.hello("b"), Self.hello("c", sets: all)])
        #expect(agreement.kernelSet == "avx2")
        #expect(agreement.idleKernelSets == ["a (rank 0) has avx512", "c (rank 2) has avx512"])
        #expect(RankAgreement(hellos: [Self.hello("a", sets: [])]).kernelSet == nil)
    }

    @Test func `ranks of one machine share its memory`() {
        let agreement = RankAgreement(hellos: [
            Self.hello("a", machine: "1"), Self.hello("b", machine: "2", memory: 90), Self.hello("c", machine: "1"),
        ])
        #expect(agreement.ranksOnMachine == [2, 1, 2])
        #expect(agreement.memory == [50, 90, 50])
    }

    @Test func `ranks of one control group share its limit, and those of another container have their own`() {
        let containers = RankAgreement(hellos: [
            Self.hello("a", machine: "1", group: "1", memory: 250, limit: 128),
            Self.hello("b", machine: "1", group: "2", memory: 250, limit: 100),
        ])
        #expect(containers.ranksInGroup == [1, 1])
        #expect(containers.memory == [125, 100])
        let service = RankAgreement(hellos: [
            Self.hello("a", group: "1", memory: 250, limit: 128), Self.hello("a", group: "1", memory: 250, limit: 128),
            Self.hello("b", group: "1", memory: 250, limit: 128),
        ])
        #expect(service.ranksInGroup == [2, 2, 1])
        #expect(service.memory == [64, 64, 128])
    }

    @Test func `weights leave an eighth of the memory, unless the layers are given`() throws {
        let planner = StagePlanner(
            layers: [StagePlanner.Part](repeating: .init(bytes: 10, readBytes: 10), count: 12),
            ends: .init(bytes: 0, readBytes: 0))
        let agreement = RankAgreement(hellos: [Self.hello("a", memory: 40), Self.hello("b", memory: 400)])
        // Four layers would fill the first rank's memory.
        #expect(try agreement.layerCounts(planner, given: nil) == [3, 9])
        #expect(try agreement.layerCounts(planner, given: [4, 8]) == [4, 8])
        #expect(throws: StagePlanner.Failure.stageMemory(rank: 0, neededBytes: 50, availableBytes: 40)) {
            try agreement.layerCounts(planner, given: [5, 7])
        }
        // Two ranks of one machine: together they would need more than it has.
        let machine = RankAgreement(hellos: [
            Self.hello("a", machine: "1", memory: 100), Self.hello("a", machine: "1", memory: 100),
        ])
        #expect(throws: StagePlanner.Failure.stageMemory(rank: 0, neededBytes: 60, availableBytes: 50)) {
            try machine.layerCounts(planner, given: [6, 6])
        }
    }

    @Test func `ranks of one machine divide the CPUs that all of them may use`() {
        func shares(_ cpus: [[Int]]) -> [CPUShare?] {
            let hellos = cpus.map { Self.hello("a", machine: "1", cpus: $0) }
            return RankAgreement(hellos: hellos + [Self.hello("b", machine: "2", cpus: [0, 1])]).cpuShares
        }
        let first = CPUShare(index: 0, count: 2)
        let second = CPUShare(index: 1, count: 2)
        #expect(shares([[0, 1], [2, 3]]) == [.whole, .whole, .whole])
        #expect(shares([[0, 1], [2, 3], [0, 1]]) == [first, .whole, second, .whole])
        // Overlapping sets cannot be divided.
        #expect(shares([[0, 1], [2, 3], [3, 4]]) == [.whole, nil, nil, .whole])
    }

    @Test func `hellos and terms are read as they were written, and no part of them is`() throws {
        let hello = Self.hello("a", memory: 1 << 40)
        #expect(try RankHello(hello.bytes) == hello)
        let terms = RankTerms(
            layerCounts: [3, 4], kernelSet: "avx2", hosts: ["a", "b"], ranksOnMachine: [1, 2], ranksInGroup: [2, 1],
            cpuShares: [CPUShare(index: 1, count: 2), nil])
        #expect(try RankTerms(terms.bytes, ranks: 2, layers: 7) == terms)
        for count in 0..<hello.bytes.count {
            #expect(throws: RankMessageError.self) { try RankHello(Array(hello.bytes.prefix(count))) }
        }
        for count in 0..<terms.bytes.count {
            #expect(throws: RankMessageError.self) {
                try RankTerms(Array(terms.bytes.prefix(count)), ranks: 2, layers: 7)
            }
        }
        #expect(throws: RankMessageError.self) { try RankHello(hello.bytes + [0]) }
        #expect(throws: RankMessageError.self) { try RankTerms(terms.bytes, ranks: 2, layers: 8) }
        #expect(throws: RankMessageError.self) { try RankTerms(terms.bytes, ranks: 3, layers: 7) }
    }
}
