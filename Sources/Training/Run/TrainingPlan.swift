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
        self.warnings = warnings
        heldOut = try recipe.heldOut.map { try HeldOut(data.open($0.source)) }
        usesTokenizer = data.usesTokenizer
        for index in stages.indices {
            guard case .documents(let sources, let options) = stages[index].data else { continue }
            try DocumentLoader.check(sources, options, path: stages[index].stage.path)
            var largest = 0.0
            for source in sources {
                largest = max(largest, try Self.meanBytes(source, skipLimit: recipe.skippedDocuments))
            }
            if options.packing != .sequential {
                stages[index].bufferedBytes = largest * Double(2 * options.buffer * options.microBatches)
            }
        }
        self.stages = stages
    }

    /// Returns the mean size of the first documents of a source in bytes, which it tokenizes.
    private static func meanBytes(_ source: DocumentSource, skipLimit: Int) throws(TrainingError) -> Double {
        var (bytes, refused) = (0, 0)
        let count = min(source.count, tokenizedFirst)
        for index in 0..<count {
            do throws(TrainingError) {
                let document = try source.document(index)
                bytes += document.count * (document.weights == nil ? 4 : 8)
            } catch {
                refused += 1
                guard refused <= skipLimit else { throw error }
            }
        }
        return Double(bytes) / Double(max(count - refused, 1))
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
    func checkMemory(_ precision: Precision, available: Int = MemoryPlan.freeMemory()) throws(TrainingError) {
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
    /// - Throws: `CheckpointError` with all differences.
    public func checkInitial() throws(CheckpointError) {
        guard recipe.seed == nil else { return }
        let stored = try StoredTensors(directory: recipe.initial).tensors
        let problems = ParameterLayout(config).parameters.compactMap {
            StoredTensor.problem($0.name, $0.shape, in: stored)
        }
        guard problems.isEmpty else { throw .mismatch(directory: recipe.initial.path, problems: problems) }
    }
}
