import Engine

/// An error that ends the process.
public struct ApplicationError: Error, CustomStringConvertible {
    let reason: String
    /// The exit code of the process.
    public let exitCode: Int32

    init(reason: String, exitCode: Int32 = 1) {
        self.reason = reason
        self.exitCode = exitCode
    }

    init(_ failure: RankFailure) {
        self.init(reason: failure.description, exitCode: failure.exitCode)
    }

    public var description: String { reason }
}
