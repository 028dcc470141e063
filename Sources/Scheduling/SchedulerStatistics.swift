/// The scheduler's load at one moment.
public struct SchedulerStatistics: Sendable, Equatable {
    public var running: Int
    public var waiting: Int
    /// Blocks of the pool; free, cached, global and sliding ones add up to it.
    public var totalBlocks: Int
    public var freeBlocks: Int
    /// Blocks that no sequence holds and whose content may be used again.
    public var cachedBlocks: Int
    public var globalBlocks: Int
    public var slidingBlocks: Int
    /// Preemptions since the scheduler was made.
    public var preemptions: UInt64
    /// Prompt tokens of admitted sequences that were looked up in the prefix cache, and those of them that it had.
    public var prefixQueries: UInt64
    public var prefixHits: UInt64
}
