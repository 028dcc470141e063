/// Why a sequence ended.
public enum FinishReason: Sendable, Hashable {
    /// It stopped by itself: an end-of-sequence id, a stop id or a stop string.
    case stop(StopReason)
    /// It reached its token limit or the model's length.
    case length
    /// It was aborted.
    case abort
    /// Its deadline passed, and it was aborted for that.
    case deadlineExceeded
    /// Its own terms leave no token that may come next.
    case unsatisfiable
    /// Its grammar exceeds a bound; the text says which, as what the grammar does: "uses more than ...".
    case grammarLimit(String)
    /// The engine failed it; the text is for the log, not for the client.
    case error(String)
}

/// What stopped a sequence that stopped by itself.
public enum StopReason: Sendable, Hashable {
    case endOfSequence
    case token(Int32)
    case string(String)
}
