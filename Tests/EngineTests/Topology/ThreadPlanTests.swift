import Testing

@testable import Engine

struct ThreadPlanTests {
    /// Two packages with 16 cores of two threads each, four nodes in each package, caches for 2 cores.
    private func epyc() throws -> FakeSystem {
        try FakeSystem(
            Dictionary(
                uniqueKeysWithValues: (0..<64).map { number in
                    let core = number % 32
                    let caches = core / 2 * 2
                    return (
                        number,
                        FakeSystem.CPU(
                            package: core / 16, node: core / 4, siblings: "\(core),\(core + 32)",
                            cache: "\(caches)-\(caches + 1),\(caches + 32)-\(caches + 33)")
                    )
                }))
    }

    /// Two packages with 4 cores of two threads each: even CPUs are in package 0, odd ones in 1.
    private func xeon() throws -> FakeSystem {
        try FakeSystem(
            Dictionary(
                uniqueKeysWithValues: (0..<16).map { number in
                    (
                        number,
                        FakeSystem.CPU(
                            package: number % 2, node: number % 2, siblings: "\(number % 8),\(number % 8 + 8)",
                            cache: number % 2 == 0 ? "0,2,4,6,8,10,12,14" : "1,3,5,7,9,11,13,15")
                    )
                }))
    }

    /// Two performance cores with two threads each, and four efficiency cores.
    private func desktop() throws -> FakeSystem {
        var cpus: [Int: FakeSystem.CPU] = [:]
        for number in 0..<4 {
            cpus[number] = .init(
                siblings: number < 2 ? "0-1" : "2-3", cache: "0-7",
                files: ["cpufreq/cpuinfo_max_freq": number < 2 ? "5800000" : "5500000"])
        }
        for number in 4..<8 {
            cpus[number] = .init(siblings: "\(number)", cache: "0-7", files: ["cpufreq/cpuinfo_max_freq": "4300000"])
        }
        return try FakeSystem(cpus)
    }

    /// Four fast and four slow cores, as the kernel describes them on arm64.
    private func arm() throws -> FakeSystem {
        try FakeSystem(
            Dictionary(
                uniqueKeysWithValues: (0..<8).map { number in
                    (
                        number,
                        FakeSystem.CPU(
                            package: -1, siblings: "\(number)", files: ["cpu_capacity": number < 4 ? "446" : "1024"])
                    )
                }))
    }

    @Test
    func `an EPYC of two packages and eight nodes has a thread for each core`() throws {
        let topology = try epyc().topology("0-63")
        let plan = ThreadPlan(topology)
        #expect(plan.threads == 32)
        #expect(plan.pinnedCPUs.sorted() == Array(0..<32))
        #expect(
            plan.summary
                == "2 packages, 8 NUMA nodes, 32 cores, 64 CPUs; 32 compute threads on CPUs 0-31, "
                + "weights divided among 8 nodes")
        // The threads of a node are neighbours.
        #expect(plan.pinnedCPUs.prefix(8) == [0, 2, 1, 3, 4, 6, 5, 7])
        #expect(plan.nodes == NodePlan((0..<8).map { NodePlan.Node($0, threads: $0 * 4..<$0 * 4 + 4) }))
        // Nodes take turns, then the caches of a node.
        #expect(ThreadPlan(topology, threads: 8).pinnedCPUs == [0, 4, 8, 12, 16, 20, 24, 28])
        #expect(ThreadPlan(topology, threads: 10).pinnedCPUs == [0, 2, 4, 6, 8, 12, 16, 20, 24, 28])
        // Second hardware threads are used on request only.
        #expect(Set(ThreadPlan(topology, threads: 34).pinnedCPUs).subtracting(0..<32) == [32, 36])
    }

    @Test
    func `the first hardware thread of a core is the first that the process may use`() throws {
        let topology = try epyc().topology("2-3,32-37")
        let plan = ThreadPlan(topology)
        #expect(plan.threads == 6)
        #expect(plan.pinnedCPUs.sorted() == [2, 3, 32, 33, 36, 37])
        #expect(
            plan.summary
                == "1 package, 2 NUMA nodes, 6 cores, 8 CPUs; 6 compute threads on CPUs 2-3,32-33,36-37, "
                + "weights divided among 2 nodes")
        #expect(plan.nodes == NodePlan([.init(0, threads: 0..<4), .init(1, threads: 4..<6)]))
    }

    @Test
    func `packages of a Xeon take turns`() throws {
        let topology = try xeon().topology("0-15")
        #expect(ThreadPlan(topology).pinnedCPUs == [0, 2, 4, 6, 1, 3, 5, 7])
        #expect(ThreadPlan(topology).nodes == NodePlan([.init(0, threads: 0..<4), .init(1, threads: 4..<8)]))
        #expect(ThreadPlan(topology, threads: 4).pinnedCPUs == [0, 2, 1, 3])
        #expect(ThreadPlan(topology, threads: 10).pinnedCPUs == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9])
    }

    @Test
    func `the system places memory if threads may move, share a node, or --numa off asks for it`() throws {
        let topology = try xeon().topology("0-15")
        #expect(ThreadPlan(topology, numa: .off).nodes == NodePlan(threads: 8))
        #expect(ThreadPlan(topology, numa: .off).pinnedCPUs == [0, 2, 4, 6, 1, 3, 5, 7])
        #expect(ThreadPlan(topology, pins: false).nodes == NodePlan(threads: 8))
        #expect(ThreadPlan(topology, quota: 3.5).nodes == NodePlan(threads: 3))
        #expect(ThreadPlan(topology, cpus: CPUList("0,2,4")).nodes == NodePlan(threads: 3))
        #expect(ThreadPlan(try desktop().topology("0-7")).nodes.numbers.isEmpty)
    }

    @Test
    func `performance cores come first`() throws {
        let topology = try desktop().topology("0-7")
        let plan = ThreadPlan(topology)
        #expect(plan.pinnedCPUs == [0, 2, 4, 5, 6, 7])
        #expect(
            plan.summary == """
                1 package, 1 NUMA node, 6 cores (4 of them efficiency cores), 8 CPUs; 6 compute threads on CPUs 0,2,4-7
                """)
        #expect(ThreadPlan(topology, threads: 8).pinnedCPUs == [0, 2, 4, 5, 6, 7, 1, 3])
        #expect(ThreadPlan(try arm().topology("0-7"), threads: 4).pinnedCPUs == [4, 5, 6, 7])
        #expect(ThreadPlan(try arm().topology("0-7")).threads == 8)
    }

    @Test
    func `a quota limits the threads, which the system may then move`() throws {
        let plan = ThreadPlan(try xeon().topology("0-15"), quota: 3.5)
        #expect(plan.threads == 3)
        #expect(plan.pinnedCPUs.isEmpty)
        #expect(
            plan.summary == """
                2 packages, 2 NUMA nodes, 8 cores, 16 CPUs, quota of 3.5 CPUs; 3 compute threads, not pinned
                """)
        #expect(ThreadPlan(try xeon().topology("0-15"), quota: 0.5).threads == 1)
    }

    @Test
    func `a machine without a description has a core for each CPU`() throws {
        let plan = ThreadPlan(try FakeSystem().topology("0-3"))
        #expect(plan.pinnedCPUs == [0, 1, 2, 3])
        #expect(plan.summary == "1 package, 1 NUMA node, 4 cores, 4 CPUs; 4 compute threads on CPUs 0-3")
        #expect(ThreadPlan(try FakeSystem().topology("")).threads == 1)
    }

    @Test
    func `chosen CPUs get a thread each`() throws {
        let topology = try epyc().topology("0-63")
        let cpus = try #require(CPUList("0-1,32-33"))
        #expect(ThreadPlan(topology, cpus: cpus).pinnedCPUs.sorted() == [0, 1, 32, 33])
        #expect(ThreadPlan(topology, threads: 2, cpus: cpus).pinnedCPUs == [0, 1])
        #expect(ThreadPlan(topology, threads: 5, cpus: cpus).pinnedCPUs.isEmpty)
        #expect(ThreadPlan(topology, quota: 2.5, cpus: cpus).pinnedCPUs == [0, 1])
    }

    @Test
    func `processes that share CPUs have threads on different cores`() throws {
        func plans(_ topology: CPUTopology, _ count: Int, threads: Int? = nil, cpus: CPUList? = nil) -> [ThreadPlan] {
            (0..<count).map {
                ThreadPlan(topology, threads: threads, cpus: cpus, share: CPUShare(index: $0, count: count))
            }
        }
        // A package each.
        let xeon = try xeon().topology("0-15")
        #expect(plans(xeon, 2).map(\.pinnedCPUs) == [[0, 2, 4, 6], [1, 3, 5, 7]])
        #expect(plans(xeon, 2, threads: 1).map(\.pinnedCPUs) == [[0], [1]])
        // Second hardware threads belong to the process that has the core.
        #expect(plans(xeon, 2, threads: 6).map(\.pinnedCPUs) == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]])
        #expect(plans(xeon, 2, cpus: CPUList("0,2,8")).map(\.pinnedCPUs) == [[0, 8], [2]])
        // Three processes on two packages.
        #expect(plans(xeon, 3).map { $0.pinnedCPUs.sorted() } == [[0, 3, 6], [1, 4, 7], [2, 5]])
        // Each has a performance core.
        #expect(plans(try desktop().topology("0-7"), 2).map(\.pinnedCPUs) == [[0, 4, 6], [2, 5, 7]])
        // More processes than cores, or more threads than the part has.
        for plan in plans(xeon, 9) { #expect(plan.threads == 8 && plan.pinnedCPUs.isEmpty) }
        for plan in plans(xeon, 2, threads: 9) { #expect(plan.threads == 9 && plan.pinnedCPUs.isEmpty) }
    }

    @Test
    func `threads are not pinned if the caller does not want it`() throws {
        #expect(ThreadPlan(try FakeSystem().topology("0-3"), pins: false).pinnedCPUs.isEmpty)
    }

    @Test(
        arguments: [(8, nil, 8), (8, 2.5, 2), (8, 0.5, 1), (2, 16, 2), (0, nil, 1), (0, 4, 1)]
            as [(Int, Double?, Int)])
    func `as many threads are available as CPUs, or as the quota pays for`(cpus: Int, quota: Double?, threads: Int) {
        #expect(ThreadPlan.available(cpus: cpus, quota: quota) == threads)
    }

    @Test
    func `CPUs that the process may not use are refused`() throws {
        let cpus = try #require(CPUList("0-1,8000"))
        let error = #expect(throws: EngineError.self) { try ThreadPlan.ofMachine(cpus: cpus) }
        #expect(error?.description.hasPrefix("--cpus 0-1,8000: this process may only use the CPUs ") == true)
        #expect(try ThreadPlan.ofMachine().threads >= 1)
    }
}
