import Foundation

/// How `mpirun` has started this process.
public struct RankLaunch: Sendable, Equatable {
    public let rank: Int
    public let ranks: Int

    /// Whether this build can join other ranks: it was built with the trait `MPI`.
    public static var isSupported: Bool {
        #if MPI
            true
        #else
            false
        #endif
    }

    /// - Parameter environment: of the process.
    /// - Returns: `nil` unless `mpirun` has started several ranks.
    public init?(environment: [String: String]) {
        guard let size = environment["OMPI_COMM_WORLD_SIZE"].flatMap(Int.init), size > 1,
            let rank = environment["OMPI_COMM_WORLD_RANK"].flatMap(Int.init), (0..<size).contains(rank)
        else { return nil }
        (self.rank, ranks) = (rank, size)
    }

    /// Joins the other ranks; for ``EngineOptions/joinRanks``.
    public func join() throws(RankFailure) -> any RankTransport {
        #if MPI
            return try MPITransport.join(rank: rank, ranks: ranks)
        #else
            throw .transport("this build has no MPI; build it with: make build MPI=1")
        #endif
    }
}
