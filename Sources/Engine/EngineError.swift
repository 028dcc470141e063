/// Why the engine could not be made ready.
public enum EngineError: Error, Sendable, CustomStringConvertible {
    /// A file of the model folder cannot be read or is not what it should be.
    case model(String)
    /// The KV pool is too small for one sequence.
    case memory(neededBytes: Int, availableBytes: Int, modelLength: Int)
    /// An option asks for what does not exist yet.
    case unsupported(String)

    public var description: String {
        switch self {
        case .model(let reason): reason
        case .memory(let needed, let available, let length):
            """
            the KV cache of one sequence of \(length) tokens needs \(MemoryPlan.format(needed)), but only \
            \(MemoryPlan.format(available)) are available; lower --max-model-len or raise --kv-cache-memory
            """
        case .unsupported(let reason): reason
        }
    }
}
