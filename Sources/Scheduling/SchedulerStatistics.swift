/// The scheduler's load at one moment, and its counts since it was made.
public struct SchedulerStatistics: Sendable, Equatable {
    public var running = 0
    public var waiting = 0
    /// Blocks of the pool; free, cached, global and sliding ones add up to it.
    public var totalBlocks = 0
    public var freeBlocks = 0
    /// Blocks that no sequence uses and whose content may be used again.
    public var cachedBlocks = 0
    public var globalBlocks = 0
    public var slidingBlocks = 0
    public var preemptions: UInt64 = 0
    /// Prompt tokens of admitted sequences that were looked up in the prefix cache, and those of them that it had.
    public var prefixQueries: UInt64 = 0
    public var prefixHits: UInt64 = 0
    /// Tokens that were computed for sequences that were aborted, or whose deadline passed.
    public var wastedTokens: UInt64 = 0
    /// Times that a sequence's drafts were verified, how many these were, and how many of them were what was sampled.
    public var drafts: UInt64 = 0
    public var draftTokens: UInt64 = 0
    public var acceptedDraftTokens: UInt64 = 0
    /// Accepted draft tokens by position in the draft, from the first; as many as have been accepted once.
    public var acceptedDraftsByPosition: [UInt64] = []
    /// Sequences whose deadline passed.
    public var expired: UInt64 = 0
    /// Prompt tokens a second that steps like the last one compute; `nil` before there was one to learn from.
    public var prefillRate: Double?
    /// Seconds after which each running sequence is expected to end, ascending; empty before a step has decoded.
    public var expectedEnds: [Double] = []
    /// Seconds for which a sequence is expected to run that is admitted later; `nil` before one was measured.
    public var expectedRun: Double?

    public init() {}
}
