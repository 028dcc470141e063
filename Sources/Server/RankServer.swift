import Engine
import Foundation
import Hub
import Logging

/// A process that computes some layers of a model for the server on rank 0, without HTTP or text.
enum RankServer {
    static let noMPI = """
        mpirun has started several ranks, but this build has no MPI, and each would be a server of its own; build it with: \
        make build MPI=1
        """

    static func foreignLauncher(_ name: String) -> String {
        "\(name) has started several processes, and each would be a server of its own; start ranks with Open MPI's mpirun"
    }

    /// Runs until rank 0 stops all ranks. Signals are for rank 0 only.
    ///
    /// - Throws: `ApplicationError` if this rank or another cannot continue.
    @concurrent static func run(_ configuration: ServerConfiguration, logger: Logger) async throws {
        for number in [SIGTERM, SIGINT] { signal(number, SIG_IGN) }
        var configuration = configuration
        try configuration.locateModel(report: { logger.info("\($0)") }, isCancelled: { false })
        if let warning = configuration.engine.limitThreads() { logger.warning("\(warning)") }
        let options = configuration.engine
        let end = await withCheckedContinuation { continuation in
            let follower = RankFollower(options: options, logger: logger) {
                logger.info("ready")
            } onEnd: {
                continuation.resume(returning: $0)
            }
            do throws(SystemThread.Failure) { try follower.start() } catch {
                continuation.resume(returning: .failed(error.description, exitCode: 1))
            }
        }
        switch end {
        case .stopped: logger.info("stopped")
        case .failed(let reason, let code): throw ApplicationError(reason: reason, exitCode: code)
        }
    }
}
