import Foundation
import Scheduling

/// What the engine is told at start.
public struct EngineOptions: Sendable {
    /// How matrix products are computed.
    public enum Compute: String, Sendable, CaseIterable {
        /// Activations to 16 bits of precision or more: the mode the reference results are held to.
        case exact
        /// Activations rounded to bfloat16 in products, where the CPU multiplies bfloat16; elsewhere as `exact`.
        case fast
        /// Products by OpenBLAS over weights widened to float32: a yardstick. Results depend on what else runs.
        case blas
    }

    /// To what weights are quantized while they are loaded.
    public enum Quantization: String, Sendable, CaseIterable {
        /// As the checkpoint stores them.
        case auto
        /// Linear layers and the head in E4M3FN, with a scale for each block of 128 by 128.
        case fp8
    }

    /// A Hugging Face folder: config.json, safetensors, optionally tokenizer.json.
    public var modelDirectory: URL
    /// Threads that compute, the engine thread among them; `nil`: as many as this process may use CPUs.
    public var threads: Int?
    /// Prompt and completion tokens of one sequence; `nil`: the model's length as far as memory allows.
    public var maxModelLength: Int?
    /// Sequences that run at the same time.
    public var maxSequences = 64
    /// Tokens that one step computes.
    public var maxBatchedTokens = 512
    /// How long a step may take in which somebody decodes, as far as can be told before.
    public var prefillPolicy = PrefillPolicy.balanced
    /// Sequences that wait for a place among the running.
    public var maxQueuedSequences = 256
    /// Bytes of the KV pool; `nil`: what the running sequences can use, within the memory that is free after loading.
    public var kvCacheMemory: Int?
    /// How keys and values are stored; `nil`: bfloat16 in fast mode, else float32.
    public var kvCacheType: KVDataType?
    /// Whether keys and values outlive their sequences, so that a prompt with the same beginning need not compute it again.
    public var cachesPrefixes = true
    /// Draft tokens of a sequence that one step verifies (see ``NGramDrafter``); `nil`: no speculative decoding.
    public var speculativeTokens: Int?
    public var compute = Compute.fast
    /// The instruction set to compute with; `nil`: the fastest that the CPU has.
    public var kernels: KernelSet?
    public var quantization = Quantization.auto
    /// Pins each thread to a CPU and lets idle threads spin for a moment. Off for tests, which share the machine.
    public var pinsThreads = true
    /// Measures at start how fast memory is read, to tell what share of that steps reach.
    public var measuresBandwidth = false

    /// Runs slices of what grammars let come next; tests make it slow. `nil`: as it is.
    var maskRunner: MaskWorkers.Runner?

    /// Threads that this process may run at once: the CPUs of its affinity mask, within its control group's quota. At least 1.
    public static var availableThreads: Int { WorkerPool.defaultThreadCount() }

    /// Lowers `threads` to `available`: threads beyond the CPUs wait for each other in every parallel region.
    ///
    /// - Returns: the number that was asked for, where it was lowered.
    public mutating func limitThreads(to available: Int = Self.availableThreads) -> Int? {
        guard let asked = threads, asked > available else { return nil }
        threads = available
        return asked
    }

    /// The type of keys and values that these options come to.
    public var cacheType: KVDataType { kvCacheType ?? (compute == .fast ? .bf16 : .f32) }

    /// Draft tokens that one step verifies: with more than a few sequences a step has no bandwidth to spare for them.
    var maxDraftTokens: Int { speculativeTokens.map { max($0, 16) } ?? 0 }

    /// Rows of a step whose logits are wanted at once.
    var maxLogitRows: Int { maxSequences + maxDraftTokens }

    public init(modelDirectory: URL) {
        self.modelDirectory = modelDirectory
    }
}
