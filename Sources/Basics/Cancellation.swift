/// Tells work that takes long when to stop. The owner of the work makes one for each request.
public protocol CancellationToken: Sendable {
    /// Whether the work must stop: its client has left, or its deadline has passed. Blocks while shorter work of others
    /// comes first, so call it with no lock held.
    func shouldStop() -> Bool
}

/// The token of the work that the current thread does.
///
/// Loops whose length a client chooses ask ``isRequested`` about every 100 us of work, some 4,096 steps, and at least once
/// in ``checkpointBytes``. Where it is true they end at once, with an error or with whatever they have: the owner of the work
/// drops the result.
public enum Cancellation {
    @TaskLocal public static var token: (any CancellationToken)?

    /// The most bytes of text that a loop goes through between two questions.
    public static let checkpointBytes = 1 << 16

    /// Whether the current work must stop; false without a token. Costs some 50 ns.
    public static var isRequested: Bool { token?.shouldStop() ?? false }
}
