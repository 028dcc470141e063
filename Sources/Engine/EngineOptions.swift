import Checkpoints
import Foundation
import Scheduling

/// The options of the engine, fixed at start.
public struct EngineOptions: Sendable {
    /// How matrix products are computed.
    public enum Compute: String, Sendable, CaseIterable {
        /// Activations have at least 16 bits of precision, and 24 bits in products with quantized weights. This mode is compared
        /// with the reference results.
        case exact
        /// Activations are rounded to bfloat16 in products if the CPU multiplies bfloat16, and otherwise are the same as in
        /// `exact`. In products with quantized weights they are rounded to 16 bits.
        case fast
        /// Like `fast`, but activations have 8 bits in products with quantized weights. Prefill is faster and less precise.
        case int8
        /// OpenBLAS computes the products with weights converted to float32, for comparison. Results depend on the batch.
        case blas
    }

    /// How weights are quantized while they are loaded.
    public enum Quantization: String, Sendable, CaseIterable {
        /// Weights keep the format of the checkpoint.
        case auto
        /// Linear layers and the head are E4M3FN, with a scale for each block of 128 by 128.
        case fp8
        /// Linear layers are 4-bit integers with a scale for every 32 columns, and the head is `int8`.
        case int4
        /// Linear layers and the head are 8-bit integers with a scale for every 32 columns.
        case int8
        /// Linear layers are NVFP4, and the head is `int8`.
        case nvfp4

        /// The quantization of weights, or `nil` for ``auto``.
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

    /// How memory is placed on a machine with several NUMA nodes.
    public enum NUMA: String, Sendable, CaseIterable {
        /// The memory of each node with compute threads holds a part of every matrix.
        case auto
        /// The system decides where memory is placed.
        case off
    }

    /// A Hugging Face folder (config.json, safetensors, optionally tokenizer.json), a GGUF file, or a folder with one.
    public var modelDirectory: URL
    /// The number of compute threads, including the engine thread. `nil` means one per physical core, or one per CPU of `cpus`.
    public var threads: Int?
    /// The CPUs to compute on, or `nil` for all that this process may use.
    public var cpus: CPUList?
    public var numa = NUMA.auto
    /// The nodes of the threads, with which tests replace those of the machine. `nil` means that `numa` decides.
    var nodes: NodePlan?
    /// The maximum number of tokens of one sequence, prompt and completion together. `nil` means the model's maximum, reduced to
    /// what fits in memory.
    public var maxModelLength: Int?
    /// The maximum number of sequences that run at the same time.
    public var maxSequences = 64
    /// The maximum number of tokens of one step.
    public var maxBatchedTokens = 512
    /// How much time prefills get in a step with decoding sequences.
    public var prefillPolicy = PrefillPolicy.balanced
    /// The maximum number of sequences that wait to run.
    public var maxQueuedSequences = 256
    /// The size of the KV pool in bytes. `nil` means as many as the running sequences can use, within the memory that is free after
    /// loading.
    public var kvCacheMemory: Int?
    /// The format of keys and values. `nil` means bfloat16 in `fast` and `int8`, and float32 in the other modes.
    public var kvCacheType: KVDataType?
    /// Whether keys and values stay cached after their sequences end, so that a prompt with the same beginning can reuse them.
    public var cachesPrefixes = true
    /// The maximum number of draft tokens of a sequence per step (see ``NGramDrafter``), or `nil` for no speculative decoding.
    public var speculativeTokens: Int?
    public var compute = Compute.fast
    /// The instruction set of the kernels, or `nil` for the fastest one that the CPU supports.
    public var kernels: KernelSet?
    public var quantization = Quantization.auto
    /// Whether each thread is pinned to a CPU and idle threads spin briefly. Off in tests, which share the machine.
    public var pinsThreads = true
    /// Whether to measure the memory bandwidth at start, to report the share of it that steps use.
    public var measuresBandwidth = false

    /// A function that joins the other ranks of a divided model, called once on the engine thread. `nil` if one process has the
    /// whole model.
    public var joinRanks: (@Sendable () throws(RankFailure) -> any RankTransport)?
    /// The number of layers of each rank, or `nil` to choose it by the sizes of the layers and the memory of the ranks.
    public var stageLayers: [Int]?
    /// How long the other ranks may take for a step, or `nil` for no limit.
    public var rankTimeout: Duration? = .seconds(60)
    /// The number of batches that the ranks compute at once, or `nil` to choose it by the times of the stages.
    var batchesInFlight: Int?

    /// The function that runs slices of mask computations, which tests replace with a slow one. `nil` means the default.
    var maskRunner: MaskWorkers.Runner?

    /// Reduces `threads` to the number of CPUs that they may use. With more threads than CPUs, threads wait for each other in every
    /// parallel region.
    ///
    /// - Parameter available: The number of these CPUs. `nil` means those of `cpus` or of the affinity mask, within the quota of
    ///   the control group.
    /// - Returns: A warning if the number was reduced, otherwise `nil`.
    public mutating func limitThreads(to available: Int? = nil) -> String? {
        let available = available ?? ThreadPlan.available(on: cpus)
        guard let warning = ThreadPlan.warning(asked: threads, available: available) else { return nil }
        threads = available
        return warning
    }

    /// The format of keys and values that results from these options.
    public var cacheType: KVDataType { kvCacheType ?? (compute == .fast || compute == .int8 ? .bf16 : .f32) }

    /// The maximum number of draft tokens of one step. With more than a few sequences, a step has no spare bandwidth for them.
    var maxDraftTokens: Int { speculativeTokens.map { max($0, 16) } ?? 0 }

    /// The maximum number of rows of a step that need logits.
    var maxLogitRows: Int { maxSequences + maxDraftTokens }

    public init(modelDirectory: URL) {
        self.modelDirectory = modelDirectory
    }
}
