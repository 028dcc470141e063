/// A token that tells long-running work when to stop. The owner of the work creates one for each request.
public protocol CancellationToken: Sendable {
    /// Returns whether the work must stop because its client has disconnected or its deadline has passed. The call may block while
    /// shorter work of other requests runs first, so do not hold a lock.
    func shouldStop() -> Bool
}

/// Access to the cancellation token of the current work.
///
/// A loop whose length a client controls checks ``isRequested`` about every 100 us of work (about 4,096 steps), and at least once
/// every ``checkpointBytes``. If it is true, the loop ends at once with an error or an incomplete result, which the owner of the
/// work discards.
public enum Cancellation {
    @TaskLocal public static var token: (any CancellationToken)?

    /// The maximum number of bytes of text that a loop processes between two checks.
    public static let checkpointBytes = 1 << 16

    /// Whether the current work must stop. False without a token. A check costs about 50 ns.
    public static var isRequested: Bool { token?.shouldStop() ?? false }
}
