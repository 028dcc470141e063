/// The scheduler's load at one moment.
public struct SchedulerStatistics: Sendable, Equatable {
    public var running: Int
    public var waiting: Int
    /// Blocks of the pool; free, global and sliding ones add up to it.
    public var totalBlocks: Int
    public var freeBlocks: Int
    public var globalBlocks: Int
    public var slidingBlocks: Int
    /// Preemptions since the scheduler was made.
    public var preemptions: UInt64
}
