import Logging

/// A rank other than 0. It loads its layers and computes them for rank 0, until rank 0 stops it. All of its work happens on one
/// thread, apart from the compute threads.
public final class RankFollower: Sendable {
    /// The way in which the rank ended.
    public enum End: Sendable {
        /// Rank 0 has stopped all ranks.
        case stopped
        /// The rank failed. The text is the reason, for the operator.
        case failed(String, exitCode: Int32)
    }

    private let options: EngineOptions
    private let logger: Logger
    private let onReady: @Sendable () -> Void
    private let onEnd: @Sendable (End) -> Void

    /// - Parameters:
    ///   - options: The options of rank 0, with ``EngineOptions/joinRanks`` set.
    ///   - onReady: A function that is called on the rank's thread when all ranks have loaded their layers.
    ///   - onEnd: A function that is called once, on the rank's thread.
    public init(
        options: EngineOptions, logger: Logger, onReady: @escaping @Sendable () -> Void = {},
        onEnd: @escaping @Sendable (End) -> Void
    ) {
        self.options = options
        self.logger = logger
        self.onReady = onReady
        self.onEnd = onEnd
    }

    /// Starts the thread. Call this once.
    ///
    /// - Throws: `SystemThread.Failure` if the system refuses to create the thread.
    public func start() throws(SystemThread.Failure) {
        try SystemThread.start("engine", stackBytes: 8 << 20) { [self] in onEnd(run()) }
    }

    private func run() -> End {
        do {
            let loaded = try EngineLoader(options: options, logger: logger, progress: { _ in }).load()
            guard let ranks = loaded.ranks else { return .failed("there are no other ranks", exitCode: 1) }
            onReady()
            let thread = FollowerThread(
                transformer: loaded.transformer, stage: ranks.stage, group: ranks.group,
                bounds: ranks.bounds(loaded.loadedModel.geometry))
            do throws(RankFailure) {
                try thread.run()
                try ranks.group.transport.close()
            } catch {
                ranks.group.transport.abandon()
                throw error
            }
            return .stopped
        } catch let failure as RankFailure {
            return .failed(failure.description, exitCode: failure.exitCode)
        } catch {
            return .failed(String(describing: error), exitCode: 1)
        }
    }
}
