import Checkpoints
import Scheduling

/// The properties of the loaded model that the server needs.
public struct LoadedModel: Sendable {
    public var config: ModelConfig
    public var generation: GenerationConfig
    /// The maximum number of tokens of one sequence, prompt and completion together.
    public var maxModelLength: Int
    /// The ids that end a sequence.
    public var endOfSequenceIDs: [Int32]
    public var memory: MemoryPlan
    /// The number of blocks of the KV pool and the tokens per block, for the metrics.
    public var geometry: KVCacheGeometry
    /// The kernel set that was chosen at start.
    public var kernels: String
    public var threads: Int
    /// The memory read bandwidth of all threads together in bytes per second, measured at start, or `nil` if it was not measured.
    public var readBandwidth: Double?
    /// The ranks among which the model is divided, or empty if one process has the whole model.
    public var ranks: [RankDescription] = []
}

/// The description of one rank of a divided model.
public struct RankDescription: Sendable, Equatable {
    /// The host name of its machine.
    public var host: String
    public var layers: Range<Int>

    public init(host: String, layers: Range<Int>) {
        self.host = host
        self.layers = layers
    }
}
