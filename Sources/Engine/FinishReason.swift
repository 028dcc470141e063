/// The reason why a sequence ended.
public enum FinishReason: Sendable, Hashable {
    /// The sequence ended with an end-of-sequence id, a stop id or a stop string.
    case stop(StopReason)
    /// The sequence reached its token limit or the model's maximum length.
    case length
    /// The sequence was aborted.
    case abort
    /// The sequence was aborted because its deadline passed.
    case deadlineExceeded
    /// The constraints of the sequence allow no token.
    case unsatisfiable
    /// The grammar exceeds a bound. The text describes it as a predicate: "uses more than ...".
    case grammarLimit(String)
    /// The engine failed. The text is for the log, not for the client.
    case error(String)
}

/// The cause of the finish reason `stop`.
public enum StopReason: Sendable, Hashable {
    case endOfSequence
    case token(Int32)
    case string(String)
}
