import Foundation

/// An attempt that failed.
struct FailedAttempt: Error {
    let error: HubError
    /// Whether the same may succeed a little later.
    let isTransient: Bool
    /// The pause that the server asks for.
    var pause: Duration?
}

/// The pauses between attempts, which double, and their bound.
struct Retries {
    /// Whether the user no longer wants the result.
    let isCancelled: @Sendable () -> Bool
    private var failures = 0

    /// Failures without any progress between them before the error is reported.
    private static let mostFailures = 5
    private static let firstPause = Duration.milliseconds(500)
    /// The longest pause that a server may ask for.
    static let longestPause = Duration.seconds(300)

    init(isCancelled: @escaping @Sendable () -> Bool) { self.isCancelled = isCancelled }

    /// Starts to count again, since something arrived.
    mutating func reset() { failures = 0 }

    /// Waits before the next attempt.
    ///
    /// - Throws: the error of the attempt if there is to be none, or `HubError.cancelled`.
    mutating func pause(after failed: FailedAttempt) throws(HubError) {
        failures += 1
        guard failed.isTransient, failures < Self.mostFailures, failed.pause ?? .zero <= Self.longestPause else {
            throw failed.error
        }
        let end = ContinuousClock.now + (failed.pause ?? Self.firstPause * (1 << (failures - 1)))
        while ContinuousClock.now < end {
            if isCancelled() { throw .cancelled }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }
}
