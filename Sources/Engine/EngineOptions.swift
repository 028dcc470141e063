import Checkpoints
import Foundation
import Scheduling

/// Options of the engine, fixed at start.
public struct EngineOptions: Sendable {
    /// How matrix products are computed.
    public enum Compute: String, Sendable, CaseIterable {
        /// Activations have at least 16 bits of precision, and 24 in products with quantized weights: the mode that is compared
        /// with the reference results.
        case exact
        /// Activations are rounded to bfloat16 in products if the CPU multiplies bfloat16; otherwise the same as `exact`. In
        /// products with quantized weights they are rounded to 16 bits.
        case fast
        /// As `fast`, but activations have 8 bits in products with quantized weights: faster prefill, less precise.
        case int8
        /// Products by OpenBLAS over weights converted to float32, for comparison. Results depend on the batch.
        case blas
    }

    /// Quantization of weights while they are loaded.
    public enum Quantization: String, Sendable, CaseIterable {
        /// The format of the checkpoint.
        case auto
        /// Linear layers and the head in E4M3FN, with a scale for each block of 128 by 128.
        case fp8
        /// Linear layers in integers of 4 bits with a scale for each 32 columns, the head in `int8`.
        case int4
        /// Linear layers and the head in integers of 8 bits with a scale for each 32 columns.
        case int8
        /// Linear layers in NVFP4, the head in `int8`.
        case nvfp4

        /// `nil` for ``auto``.
        package var weights: WeightQuantization? {
            switch self {
            case .auto: nil
            case .fp8: .float8
            case .int4: .int4(groupColumns: 32)
            case .int8: .int8
            case .nvfp4: .nvfp4
            }
        }
    }

    /// What is done for memory that is nearer to some CPUs than to others.
    public enum NUMA: String, Sendable, CaseIterable {
        /// Each node with compute threads has a part of every matrix in its memory.
        case auto
        /// The system places memory.
        case off
    }

    /// A Hugging Face folder: config.json, safetensors, optionally tokenizer.json; or a GGUF file, or the folder of one.
    public var modelDirectory: URL
    /// Compute threads, including the engine thread; `nil`: one for each physical core, or for each of `cpus`.
    public var threads: Int?
    /// The CPUs to compute on; `nil`: all that this process may use.
    public var cpus: CPUList?
    public var numa = NUMA.auto
    /// The nodes of the threads; tests replace those of the machine. `nil`: by `numa`.
    var nodes: NodePlan?
    /// Maximum prompt and completion tokens of one sequence; `nil`: the model's maximum, reduced to what memory allows.
    public var maxModelLength: Int?
    /// Maximum sequences that run at the same time.
    public var maxSequences = 64
    /// Maximum tokens of one step.
    public var maxBatchedTokens = 512
    /// How much time prefills get in a step with decoding sequences.
    public var prefillPolicy = PrefillPolicy.balanced
    /// Maximum sequences that wait to run.
    public var maxQueuedSequences = 256
    /// Bytes of the KV pool; `nil`: as many as the running sequences can use, within the memory that is free after loading.
    public var kvCacheMemory: Int?
    /// Format of keys and values; `nil`: bfloat16 in `fast` and `int8`, otherwise float32.
    public var kvCacheType: KVDataType?
    /// Whether keys and values stay cached after their sequences end, so that a prompt with the same beginning can reuse them.
    public var cachesPrefixes = true
    /// Maximum draft tokens of a sequence per step (see ``NGramDrafter``); `nil`: no speculative decoding.
    public var speculativeTokens: Int?
    public var compute = Compute.fast
    /// The instruction set to compute with; `nil`: the fastest that the CPU has.
    public var kernels: KernelSet?
    public var quantization = Quantization.auto
    /// Pins each thread to a CPU and lets idle threads spin briefly. Off in tests, which share the machine.
    public var pinsThreads = true
    /// Measures the memory bandwidth at start, to report the share of it that steps use.
    public var measuresBandwidth = false

    /// Joins the other ranks among which the model is divided; called once, on the engine thread. `nil`: one process has all.
    public var joinRanks: (@Sendable () throws(RankFailure) -> any RankTransport)?
    /// The number of layers of each rank; `nil`: chosen by the sizes of the layers and the memory of the ranks.
    public var stageLayers: [Int]?
    /// How long the other ranks may take for a step; `nil`: as long as it takes.
    public var rankTimeout: Duration? = .seconds(60)
    /// Batches that the ranks compute at once; `nil`: chosen by the times of the stages.
    var batchesInFlight: Int?

    /// Runs slices of mask computations; tests replace it with a slow one. `nil`: the default.
    var maskRunner: MaskWorkers.Runner?

    /// Lowers `threads` to the CPUs that they may use: if there are more threads than CPUs, they wait for each other in every
    /// parallel region.
    ///
    /// - Parameter available: the number of these CPUs; nil: those of `cpus` or of the affinity mask, within the control group's
    ///   quota.
    /// - Returns: the requested number, if it was lowered.
    public mutating func limitThreads(to available: Int? = nil) -> Int? {
        let available = available ?? ThreadPlan.available(on: cpus)
        guard let asked = threads, asked > available else { return nil }
        threads = available
        return asked
    }

    /// The format of keys and values that results from these options.
    public var cacheType: KVDataType { kvCacheType ?? (compute == .fast || compute == .int8 ? .bf16 : .f32) }

    /// Maximum draft tokens of one step: with more than a few sequences, a step has no spare bandwidth for them.
    var maxDraftTokens: Int { speculativeTokens.map { max($0, 16) } ?? 0 }

    /// Maximum rows of a step that need logits.
    var maxLogitRows: Int { maxSequences + maxDraftTokens }

    public init(modelDirectory: URL) {
        self.modelDirectory = modelDirectory
    }
}
