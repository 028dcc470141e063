import Scheduling

/// A snapshot of the engine's load and its running totals, taken at the end of a step.
public struct EngineStatistics: Sendable {
    public var scheduler = SchedulerStatistics()
    /// Counters since start.
    public var steps: UInt64 = 0
    public var promptTokens: UInt64 = 0
    public var generationTokens: UInt64 = 0
    /// What all steps have read.
    public var traffic = MemoryTraffic()
    /// What all steps have spent their time on.
    public var phases = StepPhases()
    public var stepSizes = StepSizes()
    /// What grammars have cost.
    public var masks = MaskStatistics()
    /// Bytes a second that recent steps have read of weights, keys and values; `nil` before the first step.
    public var readRate: Double?

    public init() {}
}

/// What working out the tokens that grammars let come next has cost, since the start.
public struct MaskStatistics: Sendable, Equatable {
    /// Masks that were worked out beside the engine thread, how long that took in all, and how many units of work it was.
    public var computations: UInt64 = 0
    public var time = Duration.zero
    public var units: UInt64 = 0
    /// Times that a sequence could not sample because its mask was not ready.
    public var deferrals: UInt64 = 0
    /// How long steps have waited for masks.
    public var waits = Duration.zero

    public init() {}
}

/// How long the parts of steps took.
public struct StepPhases: Sendable, Equatable {
    /// Choosing what to compute.
    public var schedule = Duration.zero
    /// The model.
    public var forward = Duration.zero
    /// Sampling, and the log-probabilities of prompts.
    public var sample = Duration.zero
    /// Text, stops, and handing events over.
    public var report = Duration.zero
}
