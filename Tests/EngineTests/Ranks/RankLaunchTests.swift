import Testing

@testable import Engine

@Suite struct RankLaunchTests {
    @Test func `mpirun's variables tell the rank`() {
        func launch(_ size: String?, _ rank: String?) -> RankLaunch? {
            var environment: [String: String] = [:]
            environment["OMPI_COMM_WORLD_SIZE"] = size
            environment["OMPI_COMM_WORLD_RANK"] = rank
            return RankLaunch(environment: environment)
        }
        #expect(launch("3", "2")?.rank == 2)
        #expect(launch("3", "2")?.ranks == 3)
        for (size, rank) in [(nil, nil), ("1", "0"), ("3", "3"), ("3", "-1"), ("x", "0"), ("3", nil)] {
            #expect(launch(size, rank) == nil)
        }
    }

    @Test(
        arguments: [
            (["SLURM_STEP_NUM_TASKS": "2"], "srun"), (["PMI_SIZE": "2"], "another MPI's mpiexec"),
            (["SLURM_STEP_NUM_TASKS": "1"], nil), (["PMI_SIZE": "1"], nil), ([:], nil),
            (["SLURM_STEP_NUM_TASKS": "2", "OMPI_COMM_WORLD_SIZE": "2"], nil),
        ] as [([String: String], String?)])
    func `other launchers of several processes are known`(environment: [String: String], name: String?) {
        #expect(RankLaunch.foreignLauncher(environment: environment) == name)
    }
}
