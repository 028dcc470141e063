import Grammars
import Scheduling

/// The reason why the engine could not start.
public enum EngineError: Error, Sendable, CustomStringConvertible {
    /// The KV pool is too small for one sequence.
    case memory(neededBytes: Int, availableBytes: Int, modelLength: Int)
    /// The weights do not fit in the machine's memory.
    case weights(neededBytes: Int, availableBytes: Int)
    /// The buffers of the largest step do not fit in the machine's memory.
    case activations(neededBytes: Int, availableBytes: Int)
    /// The system refused to allocate the KV pool.
    case allocation(bytes: Int, reason: String)
    /// The system refused to create compute threads.
    case threads(started: Int, asked: Int)
    /// The path is not that of a model, or the model is incomplete or not supported.
    case model(String)
    /// An option that this machine or build does not support.
    case unsupported(String)

    public var description: String {
        switch self {
        case .memory(let needed, let available, let length):
            """
            the KV cache of one sequence of \(length) tokens needs \(MemoryPlan.format(needed)), but only \
            \(MemoryPlan.format(available)) are available; lower --max-model-len or raise --kv-cache-memory-bytes
            """
        case .weights(let needed, let available):
            "the weights need \(MemoryPlan.format(needed)), but only \(MemoryPlan.format(available)) are available"
        case .activations(let needed, let available):
            """
            activation buffers need \(MemoryPlan.format(needed)), but only \(MemoryPlan.format(available)) are available; \
            lower --max-num-batched-tokens or --max-num-seqs
            """
        case .allocation(let bytes, let reason):
            "cannot allocate \(MemoryPlan.format(bytes)) for the KV cache: \(reason); lower --kv-cache-memory-bytes"
        case .threads(let started, let asked):
            """
            the system started only \(started) of \(asked) threads; lower --threads, or raise the limits of processes and \
            address space (ulimit -u, ulimit -v)
            """
        case .model(let reason), .unsupported(let reason): reason
        }
    }
}

/// The reason why the engine cannot run a request.
enum RequestError: Error, CustomStringConvertible {
    /// The prompt is empty, or the number of tokens to generate is negative.
    case empty
    /// The prompt contains an id that is not in the model's vocabulary.
    case unknownToken(Int32, vocabularySize: Int)
    case notAdmitted(AdmissionError)
    /// The grammar exceeds a bound before the first token.
    case grammarLimit(GrammarLimit)

    var description: String {
        switch self {
        case .empty: "a sequence has a prompt and at least one token to generate"
        case .unknownToken(let id, let size): "the model has no token \(id), only 0 ..< \(size)"
        case .notAdmitted(let reason): String(describing: reason)
        case .grammarLimit(let limit): String(describing: limit)
        }
    }
}
