import Checkpoints
import Scheduling

/// The properties of the loaded model that the server needs.
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
    /// Memory read bandwidth of all threads together in bytes per second, measured at start; `nil` if it was not measured.
    public var readBandwidth: Double?
    /// The ranks among which the model is divided; empty: one process has all of it.
    public var ranks: [RankDescription] = []
}

/// A part of a model that is divided among ranks.
public struct RankDescription: Sendable, Equatable {
    /// The name of its machine.
    public var host: String
    public var layers: Range<Int>

    public init(host: String, layers: Range<Int>) {
        self.host = host
        self.layers = layers
    }
}
