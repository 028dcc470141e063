import Basics
import Checkpoints
import Foundation
import Logging
import Scheduling

/// A loader that reads a model into memory, on the engine thread.
package struct EngineLoader {
    /// All objects of the engine thread. They are created and used only on that thread.
    package struct Loaded {
        package var transformer: Transformer
        /// The memory to which the transformer writes keys and values.
        package var storage: KVStorage
        package var pool: WorkerPool
        package var kernels: KernelTable
        package var limits: SchedulerLimits
        package var cachesPrefixes: Bool
        package var speculativeTokens: Int?
        package var loadedModel: LoadedModel
        /// The number of batches that the ranks compute at once, or `nil` to choose it by the times of the stages.
        var batchesInFlight: Int?
        /// The other ranks and this rank's part of the model, or `nil` if one process has the whole model.
        var ranks: RankAssembly?
    }

    package let options: EngineOptions
    package let logger: Logger
    /// A function that is called with the completed fraction of the work, in 0...1.
    package let progress: @Sendable (Double) -> Void

    package init(options: EngineOptions, logger: Logger, progress: @escaping @Sendable (Double) -> Void) {
        self.options = options
        self.logger = logger
        self.progress = progress
    }

    /// Loads the model.
    ///
    /// - Throws: `EngineError`, `RankFailure`, or the error of the layer that rejected the model.
    package func load() throws -> Loaded {
        guard let join = options.joinRanks else { return try load(nil) }
        let group = RankGroup(try join(), timeout: options.rankTimeout)
        do {
            return try load(group)
        } catch {
            group.announce(error)
            throw error
        }
    }

    /// - Parameter group: The ranks, at least 2, or `nil` if one process has the whole model.
    private func load(_ group: RankGroup?) throws -> Loaded {
        var kernels = try chooseKernels()
        let clock = ContinuousClock()
        let start = clock.now
        try ModelFolder.check(options.modelDirectory)
        let files = try ModelFiles(options.modelDirectory)
        let config = try files.modelConfig()
        let generation = try files.generationConfig()
        try files.checkIDs(generation, of: config)
        for warning in Self.warnings(of: config, generation, files) { logger.warning("\(warning)") }

        let checkpoint = try files.checkpoint(config, quantizing: options.quantization.weights)
        for note in try Self.notes(on: checkpoint, files, options.compute) { logger.info("\(note)") }
        let ranks = try group.map { try RankAssembly($0, options, config, checkpoint, logger) }
        let stage = ranks?.stage
        if let set = ranks?.kernelSet { kernels = set.table(options.compute) }
        // Ranks with overlapping CPUs that cannot be divided would pin threads to the same CPU.
        let share = ranks.map(\.cpuShare) ?? .whole
        let pins = options.pinsThreads && share != nil
        let threadPlan = try ThreadPlan.ofMachine(
            threads: options.threads, cpus: options.cpus, share: share ?? .whole, pins: pins, numa: options.numa)
        logger.info("\(threadPlan.summary)")
        let threads = threadPlan.threads
        let pool = WorkerPool(
            threads: threads, cpus: threadPlan.pinnedCPUs, nodes: options.nodes ?? threadPlan.nodes,
            spinning: pins ? .microseconds(300) : .zero)
        guard pool.threads == threads else { throw EngineError.threads(started: pool.threads, asked: threads) }
        // The size is checked before any page of the weights is read. Otherwise the system could kill the process during loading.
        let packedBytes =
            stage.map { StagePlanner(checkpoint, config: config).bytes(of: $0) } ?? checkpoint.packedBytes
        let freeBytes = MemoryPlan.freeMemory()
        guard packedBytes <= freeBytes else {
            throw EngineError.weights(neededBytes: packedBytes, availableBytes: freeBytes)
        }
        let meter = ProgressMeter("loading weights") { [logger] in logger.info("\($0)") }
        let weights = try ModelWeights(
            checkpoint: checkpoint, config: config, stage: stage, pool: pool, kernels: kernels
        ) { fraction in
            meter.update(fraction)
            progress(fraction)
        }
        meter.finish()
        kernels.encodesIntegers = weights.isQuantized && kernels.product == nil
        // After this, every rank sees how much memory is left.
        try ranks?.waitForAll()
        let layout = KVCacheLayout(config: config, dataType: options.cacheType, stage: stage)
        let freeMemory = ranks?.freeMemory ?? MemoryPlan.freeMemory()
        func plan(blockLimit: Int = .max) throws(EngineError) -> MemoryPlan {
            try MemoryPlan(
                layout: layout, config: config, options: options, kernels: kernels, threads: threads,
                weightBytes: weights.bytes, stage: stage, freeMemory: freeMemory, blockLimit: blockLimit)
        }
        var memory = try plan()
        if let ranks { memory = try plan(blockLimit: ranks.blocks(memory.totalBlocks)) }
        let geometry = layout.geometry(totalBlocks: memory.totalBlocks)
        let storage = try KVStorage(layout: layout, totalBlocks: memory.totalBlocks, nodes: pool.nodes.numbers)
        reportNodes(pool.nodes, weights, storage)
        let transformer = Transformer(
            config: config, weights: weights, storage: storage, pool: pool, kernels: kernels,
            maxTokens: options.maxBatchedTokens, maxLogitRows: options.maxLogitRows, stage: stage)
        // From here on, no rank can fail to load. A rank that could not allocate its memory has told the others.
        try ranks?.waitForAll()
        if let group { transformer.afterLayer = { _ = group.transport.progress() } }
        let served = LoadedModel(
            config: config, generation: generation, maxModelLength: memory.maxModelLength,
            endOfSequenceIDs: generation.endOfSequenceIDs(of: config), memory: memory,
            geometry: geometry, kernels: kernels.name, threads: threads,
            readBandwidth: options.measuresBandwidth ? Self.readBandwidth(pool, weights) : nil,
            ranks: ranks?.descriptions ?? [])
        report(served, stage, since: start, clock)
        var limits = SchedulerLimits(
            maxSequences: options.maxSequences, maxBatchedTokens: options.maxBatchedTokens,
            maxQueuedSequences: options.maxQueuedSequences + options.maxSequences,
            prefillPolicy: options.prefillPolicy)
        limits.expertShare = Double(config.expertsPerToken) / Double(config.experts)
        limits.maxDraftTokens = options.maxDraftTokens
        return Loaded(
            transformer: transformer, storage: storage, pool: pool, kernels: kernels,
            limits: limits, cachesPrefixes: options.cachesPrefixes, speculativeTokens: options.speculativeTokens,
            loadedModel: served, batchesInFlight: options.batchesInFlight, ranks: ranks)
    }

    /// The maximum number of bytes to read for measuring the bandwidth: as many as a step reads, since the steps of a small model
    /// read from the caches.
    private static let mostProbedBytes = 256 << 20

    /// Measures the read bandwidth by reading the packed weights for 30 ms and at least three times. The time is short because it
    /// delays the start of the server.
    private static func readBandwidth(_ pool: WorkerPool, _ weights: ModelWeights) -> Double? {
        #if DEBUG
            // Without optimization, the loop is slower than the memory.
            return nil
        #else
            return withExtendedLifetime(weights) {
                RooflineProbe(pool: pool, memory: probedBytes(pool, weights), time: .milliseconds(30)).readBandwidth()
                    * 1e9
            }
        #endif
    }

    /// Returns the memory to read. The bytes of each node are proportional to its share of the threads.
    private static func probedBytes(_ pool: WorkerPool, _ weights: ModelWeights) -> [[UnsafeRawBufferPointer]] {
        var memory = weights.ranges
        for (index, node) in pool.nodes.nodes.enumerated() {
            var left = mostProbedBytes * node.threads.count / pool.nodes.threads
            memory[index] = memory[index].map { range in
                let part = UnsafeRawBufferPointer(rebasing: range.prefix(left))
                left -= part.count
                return part
            }
        }
        return memory
    }

    /// Logs where the weights are if they are divided among nodes.
    private func reportNodes(_ plan: NodePlan, _ weights: ModelWeights, _ storage: KVStorage) {
        guard !plan.numbers.isEmpty else { return }
        let error = weights.placementError != 0 ? weights.placementError : storage.placementError
        if error != 0 {
            logger.warning(
                """
                the system refuses to place memory on NUMA nodes (\(String(cString: strerror(error)))): it is where threads \
                touched it first
                """)
        }
        let parts = zip(plan.nodes, weights.ranges).map { node, ranges in
            let number = node.number.map { "\($0)" } ?? "any"
            return "\(MemoryPlan.format(ranges.reduce(0) { $0 + $1.count })) on node \(number)"
        }
        logger.info("weights: \(parts.joined(separator: ", "))")
    }

    private func chooseKernels() throws -> KernelTable {
        if options.compute == .blas {
            guard options.kernels == nil else {
                throw EngineError.unsupported("--kernels cannot be combined with --compute blas")
            }
            logger.notice("matrix products use OpenBLAS: slower and not deterministic")
            return try .blas()
        }
        guard let set = options.kernels else { return .best(options.compute) }
        guard KernelSet.available.contains(set) else {
            let available = KernelSet.available.map(\.rawValue).joined(separator: ", ")
            throw EngineError.unsupported(
                "--kernels \(set.rawValue) is not supported by this CPU (supported: \(available))")
        }
        return set.table(options.compute)
    }

    /// Returns the differences between the model's quantization and its use.
    static func notes(
        on checkpoint: Checkpoint, _ files: ModelFiles, _ compute: EngineOptions.Compute
    ) throws(ModelConfigError) -> [String] {
        var notes: [String] = []
        if checkpoint.hasUnusedScales {
            notes.append("the scales of activations and of the KV cache in the checkpoint are not used")
        }
        if compute != .int8, try files.quantizationConfig()?.hasIntegerActivations == true {
            notes.append("the checkpoint is meant for 8-bit activations: only --compute int8 rounds them")
        }
        return notes
    }

    /// Returns problems that the owner of the model should know about, but that do not prevent it from working.
    static func warnings(of config: ModelConfig, _ generation: GenerationConfig, _ files: ModelFiles) -> [String] {
        var warnings: [String] = []
        let metadata = files.gguf.map { "the metadata of \($0.url.lastPathComponent)" }
        if generation.endOfSequenceIDs(of: config).isEmpty {
            let place = metadata ?? "generation_config.json or config.json"
            warnings.append(
                """
                no eos_token_id in \(place): replies end only at max_tokens, at the context's end or at a stop string
                """)
        }
        if !config.unknownKeys.isEmpty {
            let names = config.unknownKeys.prefix(20).map { $0.printable(atMost: 80) }.joined(separator: ", ")
            let rest = config.unknownKeys.count > 20 ? " and \(config.unknownKeys.count - 20) more" : ""
            warnings.append("ignoring unknown keys of \(metadata ?? "config.json"): \(names)\(rest)")
        }
        return warnings
    }

    private func report(
        _ model: LoadedModel, _ stage: Stage?, since start: ContinuousClock.Instant, _ clock: ContinuousClock
    ) {
        let elapsed = (clock.now - start) / .seconds(1)
        let layers = stage.map { "layers \($0.layers) of \(model.config.layers)" } ?? "\(model.config.layers) layers"
        logger.info(
            """
            model loaded in \(String(format: "%.2f", elapsed)) s: \(layers), \
            kernels \(model.kernels), \(model.threads) threads
            """)
        for line in model.memory.lines { logger.info("\(line)") }
        if model.maxModelLength > model.config.maxPositions {
            logger.warning(
                """
                --max-model-len \(model.maxModelLength) exceeds the model's max_position_embeddings \
                (\(model.config.maxPositions))
                """)
        }
        if model.maxModelLength < model.config.maxPositions {
            logger.notice(
                "sequences are limited to \(model.maxModelLength) of the model's \(model.config.maxPositions) tokens")
        }
    }
}
