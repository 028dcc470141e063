/// Why a sequence ended.
public enum FinishReason: Sendable, Hashable {
    /// It ended with an end-of-sequence id, a stop id or a stop string.
    case stop(StopReason)
    /// It reached its token limit or the model's length.
    case length
    /// It was aborted.
    case abort
    /// Its deadline passed, so it was aborted.
    case deadlineExceeded
    /// Its own constraints leave no token.
    case unsatisfiable
    /// Its grammar exceeds a bound, described by the text as a predicate: "uses more than ...".
    case grammarLimit(String)
    /// The engine failed; the text is for the log, not for the client.
    case error(String)
}

/// What ended a sequence with the reason `stop`.
public enum StopReason: Sendable, Hashable {
    case endOfSequence
    case token(Int32)
    case string(String)
}
