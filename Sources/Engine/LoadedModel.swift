import Checkpoints
import Scheduling

/// What the server needs to know of the model that is being served.
public struct LoadedModel: Sendable {
    public var config: ModelConfig
    public var generation: GenerationConfig
    /// Prompt and completion tokens of one sequence.
    public var maxModelLength: Int
    /// Ids that end a sequence.
    public var endOfSequenceIDs: [Int32]
    public var memory: MemoryPlan
    /// Blocks of the KV pool and tokens a block, for the metrics.
    public var geometry: KVCacheGeometry
    /// The kernel set that was chosen at start.
    public var kernels: String
    public var threads: Int
    /// Bytes a second that all threads together read of memory, as measured at start; `nil` where it was not.
    public var readBandwidth: Double?
}
