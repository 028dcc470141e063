/// The scheduler's current load, and its counters since it was created.
public struct SchedulerStatistics: Sendable, Equatable {
    public var running = 0
    public var waiting = 0
    /// The number of blocks in the pool: the sum of free, cached, global and sliding blocks.
    public var totalBlocks = 0
    public var freeBlocks = 0
    /// The number of blocks that no sequence uses and whose content can be reused.
    public var cachedBlocks = 0
    public var globalBlocks = 0
    public var slidingBlocks = 0
    public var preemptions: UInt64 = 0
    /// The number of prompt tokens of admitted sequences that were looked up in the prefix cache, and the number that were found.
    public var prefixQueries: UInt64 = 0
    public var prefixHits: UInt64 = 0
    /// The number of tokens computed for sequences that were aborted or whose deadline passed.
    public var wastedTokens: UInt64 = 0
    /// The number of verified drafts, of their tokens, and of accepted draft tokens.
    public var drafts: UInt64 = 0
    public var draftTokens: UInt64 = 0
    public var acceptedDraftTokens: UInt64 = 0
    /// The number of accepted draft tokens by position in the draft, up to the last position that was ever accepted.
    public var acceptedDraftsByPosition: [UInt64] = []
    /// The number of sequences whose deadline passed.
    public var expired: UInt64 = 0
    /// The number of prompt tokens per second of steps like the last one, or `nil` before a prefill has been measured.
    public var prefillRate: Double?
    /// The expected times in seconds until each running sequence ends, in ascending order. Empty before a step has decoded.
    public var expectedEnds: [Double] = []
    /// The expected time in seconds that a sequence admitted later will run, or `nil` before it can be estimated.
    public var expectedRun: Double?

    public init() {}
}
