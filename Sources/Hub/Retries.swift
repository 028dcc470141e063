import Foundation

/// A failed attempt.
struct FailedAttempt: Error {
    let error: HubError
    /// Whether the same request may succeed later.
    let isTransient: Bool
    /// The pause that the server requests.
    var pause: Duration?
}

/// The pauses between attempts, which double, and the number of attempts.
struct Retries {
    /// Returns whether the user cancelled the download.
    let isCancelled: @Sendable () -> Bool
    private var failures = 0

    /// The number of successive failures without progress after which the error is reported.
    private static let mostFailures = 5
    private static let firstPause = Duration.milliseconds(500)
    /// The longest pause that a server may request.
    static let longestPause = Duration.seconds(300)

    init(isCancelled: @escaping @Sendable () -> Bool) { self.isCancelled = isCancelled }

    /// Resets the count of failures after data was received.
    mutating func reset() { failures = 0 }

    /// Waits before the next attempt.
    ///
    /// - Throws: the error of the attempt if there is no next one, or `HubError.cancelled`.
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
