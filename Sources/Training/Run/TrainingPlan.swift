import Checkpoints
import Engine
import Foundation

/// A recipe that has been checked, without training or writing anything.
public struct TrainingPlan {
    /// A stage and its range of steps in the run.
    public struct Stage {
        public let stage: TrainingStage
        public let steps: Range<Int>
        let data: StageData.Stage
        /// The size of the documents in the buffers of all micro-batches in bytes, estimated from the first documents.
        fileprivate(set) var bufferedBytes = 0.0

        /// The sizes of a step, or `nil` if batches determine them.
        var options: DocumentLoader.Options? {
            if case .documents(_, let options) = data { options } else { nil }
        }

        /// The number of positions of the largest micro-batch.
        var largestMicroBatch: Int {
            switch data {
            case .batches(let file): file.largestMicroBatch
            case .documents(_, let options): options.rows * options.length
            }
        }

        /// Returns the source of the stage's batches, at its beginning.
        ///
        /// - Parameter skipLimit: the number of documents that each micro-batch may skip because they cannot be tokenized.
        func source(skipLimit: Int) throws(TrainingError) -> BatchSource {
            switch data {
            case .batches(let file): .file(file)
            case .documents(let sources, let options):
                .documents(try DocumentLoader(sources, options, skipLimit: skipLimit, path: stage.path))
            }
        }
    }

    public let recipe: Recipe
    public let config: ModelConfig
    public let stages: [Stage]
    let heldOut: HeldOut?
    /// The names of tensors that do not change.
    public let frozen: Set<String>
    /// Warnings about settings that are allowed but probably unintended.
    public let warnings: [String]
    /// Whether the run needs a tokenizer.
    let usesTokenizer: Bool

    /// The number of documents of each source that are tokenized before a run begins.
    private static let tokenizedFirst = 32

    /// Reads the configuration and the data: the headers of tensors, all tokens, and all lines of JSONL files. Also tokenizes the
    /// first documents.
    ///
    /// - Throws: an error with the name of the file, tensor, line or field.
    public init(_ recipe: Recipe) throws {
        self.recipe = recipe
        config = try ModelConfig(directory: recipe.initial)
        try TrainingModel.check(config)
        frozen = try Self.frozen(recipe.freeze, config)
        var data = StageData(config: config, folder: recipe.initial)
        var (stages, warnings) = ([Stage](), [String]())
        for stage in recipe.stages {
            let opened = try data.open(stage.data)
            if case .documents(_, let options) = stage.data, options.length > config.maxPositions {
                warnings.append(
                    """
                    the recipe's \(stage.path)documents.length \(options.length) is more than max_position_embeddings, \
                    \(config.maxPositions)
                    """)
            }
            let start = stages.last?.steps.upperBound ?? 0
            stages.append(Stage(stage: stage, steps: start..<start + (try Self.steps(stage, opened)), data: opened))
        }
        heldOut = try recipe.heldOut.map { try HeldOut(data.open($0.source)) }
        usesTokenizer = data.usesTokenizer
        for index in stages.indices {
            guard case .documents(let sources, let options) = stages[index].data else { continue }
            try DocumentLoader.check(sources, options, path: stages[index].stage.path)
            var largest = 0.0
            for source in sources {
                let sample = try Sample(source, skipLimit: recipe.skippedDocuments)
                largest = max(largest, sample.meanBytes)
                warnings += sample.warnings(options, path: source.path)
            }
            if options.packing != .sequential {
                // A document that is in a buffer several times is in memory once.
                let count = min(2 * options.buffer * options.microBatches, sources.reduce(0) { $0 + $1.count })
                stages[index].bufferedBytes = largest * Double(count)
            }
        }
        (self.stages, self.warnings) = (stages, warnings)
    }

    /// The first documents of a source, which are tokenized before a run begins.
    private struct Sample {
        private var documents: [Document] = []

        init(_ source: DocumentSource, skipLimit: Int) throws(TrainingError) {
            var refused = 0
            for index in 0..<min(source.count, TrainingPlan.tokenizedFirst) {
                do throws(TrainingError) { documents.append(try source.document(index)) } catch {
                    refused += 1
                    guard refused <= skipLimit else { throw error }
                }
            }
        }

        /// The mean size in bytes.
        var meanBytes: Double {
            let bytes = documents.reduce(0) { $0 + $1.count * ($1.weights == nil ? 4 : 8) }
            return Double(bytes) / Double(max(documents.count, 1))
        }

        /// - Parameter path: the path of the source.
        func warnings(_ options: DocumentLoader.Options, path: String) -> [String] {
            var warnings: [String] = []
            let hasTarget = documents.contains { document in
                (0..<document.count).dropFirst().contains { document.weight($0) > 0 }
            }
            if !hasTarget, !documents.isEmpty {
                warnings.append("\(path): the first \(documents.count) documents have no target")
            }
            let long = documents.count { $0.count > options.length }
            if options.packing == .greedy, long > 0 {
                warnings.append(
                    """
                    \(path): \(long) of the first \(documents.count) documents are longer than a row of \
                    \(options.length) tokens, and are cut
                    """)
            }
            return warnings
        }
    }

    /// Returns the tensors whose names match one of the patterns, in which `*` matches any characters.
    private static func frozen(_ patterns: [String], _ config: ModelConfig) throws(TrainingError) -> Set<String> {
        let names = config.expectedTensors.map(\.name)
        var frozen: Set<String> = []
        for (index, pattern) in patterns.enumerated() {
            let found = names.filter { fnmatch(pattern, $0, 0) == 0 }
            guard !found.isEmpty else { throw .recipe(field: "freeze[\(index)]", reason: "matches no tensor") }
            frozen.formUnion(found)
        }
        guard !ParameterLayout(config).trained(except: frozen).isEmpty else {
            throw .recipe(field: "freeze", reason: "matches all tensors")
        }
        return frozen
    }

    private static func steps(_ stage: TrainingStage, _ data: StageData.Stage) throws(TrainingError) -> Int {
        guard case .batches(let file) = data else { return stage.hyperparameters.steps ?? 0 }
        let steps = stage.hyperparameters.steps ?? file.steps
        guard steps <= file.steps else {
            throw .recipe(
                field: "\(stage.path)hyperparameters.steps", reason: "is more than the \(file.steps) of the batches")
        }
        try file.check(steps: steps)
        return steps
    }

    /// The number of steps of the run.
    public var steps: Int { stages.last?.steps.upperBound ?? 0 }

    /// The number of trained parameters.
    public var parameters: Int { cost(.exact).trained }

    /// Returns the cost of training the model.
    public func cost(_ precision: Precision) -> TrainingCost {
        TrainingCost(config, frozen: frozen, precision: precision)
    }

    /// Returns the size in bytes of weights, gradients, optimizer state, and the largest micro-batch or batch of held-out
    /// documents.
    func neededBytes(_ cost: TrainingCost) -> Double {
        let trained = stages.reduce(0.0) { max($0, cost.activationBytes(tokens: $1.largestMicroBatch)) }
        let measured = heldOut.map { Double(ActivationMemory(measuring: config).bytesPerToken * $0.largestBatch) } ?? 0
        return Double(cost.stateBytes) + max(trained, measured)
    }

    /// - Throws: `TrainingError.memory` if ``neededBytes(_:)`` is more than the available memory; `TrainingError.recipe` with the
    ///   buffer whose documents do not fit in addition.
    package func checkMemory(
        _ precision: Precision, available: Int = MemoryPlan.freeMemory()
    ) throws(TrainingError) {
        let needed = neededBytes(cost(precision))
        guard needed <= Double(available) else { throw .memory(needed: Int(needed), available: available) }
        for stage in stages where needed + stage.bufferedBytes > Double(available) {
            let left = Int(Double(available) - needed)
            throw .recipe(
                field: "\(stage.stage.path)documents.buffer",
                reason: """
                    is too large: the documents of the buffers take about \(Int(stage.bufferedBytes) >> 20) MiB, and \
                    \(left >> 20) MiB of memory are left
                    """)
        }
    }

    /// Checks the names, types and shapes of the tensors of `initial` from their headers, unless the weights are random.
    ///
    /// - Throws: `CheckpointError` with all differences; `ModelConfigError` or `TrainingError.unsupported` for a quantization
    ///   other than FP8.
    public func checkInitial() throws {
        guard recipe.seed == nil else { return }
        try TrainingModel.check(recipe.initial, config)
    }
}
