import Scheduling

/// A snapshot of the engine's load and its running totals at the end of a step.
public struct EngineStatistics: Sendable {
    public var scheduler = SchedulerStatistics()
    /// The numbers of steps, prompt tokens and generated tokens since the start.
    public var steps: UInt64 = 0
    public var promptTokens: UInt64 = 0
    public var generationTokens: UInt64 = 0
    /// The memory traffic of all steps.
    public var traffic = MemoryTraffic()
    /// The time of all steps by phase.
    public var phases = StepPhases()
    public var stepSizes = StepSizes()
    /// The cost of grammars.
    public var masks = MaskStatistics()
    /// The bytes of weights, keys and values per second that recent steps read, or `nil` before the first step.
    public var readRate: Double?
    /// The times of each rank if the model is divided among several.
    public var ranks: [RankStatistics] = []
    /// The maximum number of batches that may be in flight.
    public var batchesInFlight = 1
    /// The highest number of batches that have been in flight so far.
    public var mostBatchesInFlight = 0

    public init() {}
}

/// The cost of computing token masks of grammars, since the start.
public struct MaskStatistics: Sendable, Equatable {
    /// The number of masks that the mask workers computed, their total time, and their units of work.
    public var computations: UInt64 = 0
    public var time = Duration.zero
    public var units: UInt64 = 0
    /// The number of times that a sequence could not sample because its mask was not ready.
    public var deferrals: UInt64 = 0
    /// The total time that steps have waited for masks.
    public var waits = Duration.zero

    public init() {}
}

/// The time of one rank, since the start.
public struct RankStatistics: Sendable, Equatable {
    /// The time in its layers.
    public var compute = Duration.zero
    /// The time that it waited for other ranks.
    public var wait = Duration.zero

    public init() {}
}

/// The total durations of the phases of steps.
public struct StepPhases: Sendable, Equatable {
    /// Scheduling.
    public var schedule = Duration.zero
    /// The forward pass of the model.
    public var forward = Duration.zero
    /// Sampling, and computing the log-probabilities of prompts.
    public var sample = Duration.zero
    /// Detokenizing, matching stop strings, and posting events.
    public var report = Duration.zero
}
