import Foundation

/// The way in which `mpirun` started this process.
public struct RankLaunch: Sendable, Equatable {
    public let rank: Int
    public let ranks: Int

    /// Whether this build can join other ranks, which requires the trait `MPI`.
    public static var isSupported: Bool {
        #if MPI
            true
        #else
            false
        #endif
    }

    /// - Parameter environment: The environment of the process.
    /// - Returns: `nil` unless `mpirun` started several ranks.
    public init?(environment: [String: String]) {
        guard let size = environment["OMPI_COMM_WORLD_SIZE"].flatMap(Int.init), size > 1,
            let rank = environment["OMPI_COMM_WORLD_RANK"].flatMap(Int.init), (0..<size).contains(rank)
        else { return nil }
        (self.rank, ranks) = (rank, size)
    }

    /// Returns the launcher that started this process as one of several, if it is not Open MPI's `mpirun`. Each process would then
    /// be a separate server.
    ///
    /// - Parameter environment: The environment of the process.
    public static func foreignLauncher(environment: [String: String]) -> String? {
        guard environment["OMPI_COMM_WORLD_SIZE"] == nil else { return nil }
        let launchers = [("SLURM_STEP_NUM_TASKS", "srun"), ("PMI_SIZE", "another MPI's mpiexec")]
        return launchers.first { variable, _ in environment[variable].flatMap(Int.init).map { $0 > 1 } ?? false }?.1
    }

    /// Joins the other ranks, for ``EngineOptions/joinRanks``.
    ///
    /// - Parameter timeout: How long a rank may be silent, or `nil` for no limit.
    public func join(timeout: Duration?) throws(RankFailure) -> any RankTransport {
        #if MPI
            return try MPITransport.join(rank: rank, ranks: ranks, timeout: timeout)
        #else
            throw .transport("this build has no MPI; build it with: make build MPI=1")
        #endif
    }
}
