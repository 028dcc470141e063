/// The scheduler's current load, and its counters since its creation.
public struct SchedulerStatistics: Sendable, Equatable {
    public var running = 0
    public var waiting = 0
    /// Blocks of the pool; free, cached, global and sliding ones add up to it.
    public var totalBlocks = 0
    public var freeBlocks = 0
    /// Blocks that no sequence uses and whose content can be reused.
    public var cachedBlocks = 0
    public var globalBlocks = 0
    public var slidingBlocks = 0
    public var preemptions: UInt64 = 0
    /// Prompt tokens of admitted sequences that were looked up in the prefix cache, and those that were found.
    public var prefixQueries: UInt64 = 0
    public var prefixHits: UInt64 = 0
    /// Tokens that were computed for sequences that were aborted, or whose deadline passed.
    public var wastedTokens: UInt64 = 0
    /// The number of verified drafts, of their tokens, and of accepted tokens.
    public var drafts: UInt64 = 0
    public var draftTokens: UInt64 = 0
    public var acceptedDraftTokens: UInt64 = 0
    /// Accepted draft tokens by position in the draft, from the first; up to the last position that was ever accepted.
    public var acceptedDraftsByPosition: [UInt64] = []
    /// Sequences whose deadline passed.
    public var expired: UInt64 = 0
    /// Prompt tokens per second of steps like the last one; `nil` before a prefill was measured.
    public var prefillRate: Double?
    /// Expected times in seconds until each running sequence ends, ascending; empty before a step has decoded.
    public var expectedEnds: [Double] = []
    /// Expected time in seconds that a sequence admitted later will run; `nil` before one was measured.
    public var expectedRun: Double?

    public init() {}
}
