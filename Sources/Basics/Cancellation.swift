/// Tells long-running work when to stop. The owner of the work creates one for each request.
public protocol CancellationToken: Sendable {
    /// Whether the work must stop: its client has left, or its deadline has passed. May block while shorter work of others runs
    /// first, so do not call it with a lock held.
    func shouldStop() -> Bool
}

/// The token of the current thread's work.
///
/// Loops whose length a client controls check ``isRequested`` about every 100 us of work, some 4,096 steps, and at least once
/// every ``checkpointBytes``. If it is true they end at once, with an error or an incomplete result: the owner of the work
/// discards the result.
public enum Cancellation {
    @TaskLocal public static var token: (any CancellationToken)?

    /// The maximum number of bytes of text that a loop processes between two checks.
    public static let checkpointBytes = 1 << 16

    /// Whether the current work must stop; false without a token. Costs some 50 ns.
    public static var isRequested: Bool { token?.shouldStop() ?? false }
}
