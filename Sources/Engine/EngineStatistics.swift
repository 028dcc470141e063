import Scheduling

/// A snapshot of the engine's load and its running totals, taken at the end of a step.
public struct EngineStatistics: Sendable {
    public var scheduler = SchedulerStatistics()
    /// Counters since start.
    public var steps: UInt64 = 0
    public var promptTokens: UInt64 = 0
    public var generationTokens: UInt64 = 0
    /// What all steps have read from memory.
    public var traffic = MemoryTraffic()
    /// The time of all steps by phase.
    public var phases = StepPhases()
    public var stepSizes = StepSizes()
    /// The cost of grammars.
    public var masks = MaskStatistics()
    /// Bytes per second of weights, keys and values that recent steps have read; `nil` before the first step.
    public var readRate: Double?
    /// What each rank has done, if the model is divided among several.
    public var ranks: [RankStatistics] = []
    /// The most batches that may be in flight.
    public var batchesInFlight = 1
    /// The most batches that have been in flight so far.
    public var mostBatchesInFlight = 0

    public init() {}
}

/// The cost of computing token masks of grammars, since the start.
public struct MaskStatistics: Sendable, Equatable {
    /// Masks that were computed by the mask workers, their total time, and their units of work.
    public var computations: UInt64 = 0
    public var time = Duration.zero
    public var units: UInt64 = 0
    /// The number of times that a sequence could not sample because its mask was not ready.
    public var deferrals: UInt64 = 0
    /// The time that steps have waited for masks.
    public var waits = Duration.zero

    public init() {}
}

/// The time of one rank, since the start.
public struct RankStatistics: Sendable, Equatable {
    /// In its layers.
    public var compute = Duration.zero
    /// Waiting for other ranks.
    public var wait = Duration.zero

    public init() {}
}

/// Durations of the phases of steps.
public struct StepPhases: Sendable, Equatable {
    /// Choosing what to compute.
    public var schedule = Duration.zero
    /// The model.
    public var forward = Duration.zero
    /// Sampling, and the log-probabilities of prompts.
    public var sample = Duration.zero
    /// Detokenizing, matching stop strings, and posting events.
    public var report = Duration.zero
}
