import Checkpoints
import Engine
import Foundation

/// What a recipe asks for, checked without computing or writing anything.
public struct TrainingPlan {
    /// A stage and the steps of the run that it has.
    public struct Stage {
        public let stage: TrainingStage
        public let steps: Range<Int>
        let data: StageData.Stage

        /// The sizes of a step; `nil` if batches determine them.
        var options: DocumentLoader.Options? {
            if case .documents(_, let options) = data { options } else { nil }
        }

        /// The source of the stage's batches, at its beginning.
        func source() throws(TrainingError) -> BatchSource {
            switch data {
            case .batches(let file): .file(file)
            case .documents(let sources, let options): .documents(try DocumentLoader(sources, options))
            }
        }
    }

    public let recipe: Recipe
    public let config: ModelConfig
    public let stages: [Stage]
    let heldOut: HeldOut?
    /// The names of tensors that do not change.
    public let frozen: Set<String>
    /// Whether a tokenizer is used.
    let usesTokenizer: Bool

    /// Documents of each source that are tokenized before a run begins.
    private static let tokenizedFirst = 32

    /// Reads the configuration and the data: the headers of tensors, all tokens, and all lines of JSONL files. The first documents
    /// are tokenized too.
    ///
    /// - Throws: an error that names the file, tensor, line or field.
    public init(_ recipe: Recipe) throws {
        self.recipe = recipe
        config = try ModelConfig(directory: recipe.initial)
        frozen = try Self.frozen(recipe.freeze, config)
        var data = StageData(config: config, folder: recipe.initial)
        var stages: [Stage] = []
        for stage in recipe.stages {
            let opened = try data.open(stage.data)
            let start = stages.last?.steps.upperBound ?? 0
            stages.append(Stage(stage: stage, steps: start..<start + (try Self.steps(stage, opened)), data: opened))
        }
        self.stages = stages
        heldOut = try recipe.heldOut.map { try HeldOut(data.open($0.source)) }
        usesTokenizer = data.usesTokenizer
        for stage in stages {
            guard case .documents(let sources, let options) = stage.data else { continue }
            try DocumentLoader.check(sources, options)
            for source in sources {
                for index in 0..<min(source.count, Self.tokenizedFirst) { _ = try source.document(index) }
            }
        }
    }

    /// The tensors that match one of the patterns, in which `*` stands for any characters.
    private static func frozen(_ patterns: [String], _ config: ModelConfig) throws(TrainingError) -> Set<String> {
        let names = config.expectedTensors.map(\.name)
        var frozen: Set<String> = []
        for (index, pattern) in patterns.enumerated() {
            let found = names.filter { fnmatch(pattern, $0, 0) == 0 }
            guard !found.isEmpty else { throw .recipe(field: "freeze[\(index)]", reason: "matches no tensor") }
            frozen.formUnion(found)
        }
        guard ParameterLayout(config).parameters.contains(where: { !frozen.contains($0.name) }) else {
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

    /// All steps of the run.
    public var steps: Int { stages.last?.steps.upperBound ?? 0 }

    /// Trained parameters.
    public var parameters: Int { cost.trained }

    /// What the model takes.
    public var cost: TrainingCost { TrainingCost(config, frozen: frozen) }

    /// Bytes of weights, gradients and the optimizers' state, and of the rounded weights; activations are not counted.
    public func stateBytes(_ precision: Precision) -> Int {
        // Rounded weights are packed twice.
        cost.stateBytes + (precision == .exact ? 0 : 4 * ParameterLayout(config).count)
    }

    /// - Throws: `TrainingError.memory` if they are more than the available memory.
    func checkMemory(_ precision: Precision, available: Int = MemoryPlan.freeMemory()) throws(TrainingError) {
        let needed = stateBytes(precision)
        guard needed <= available else { throw .memory(needed: needed, available: available) }
    }

    /// Checks the names, types and shapes of the tensors of `initial`, from their headers, unless the weights are drawn.
    ///
    /// - Throws: `CheckpointError` with all differences.
    public func checkInitial() throws(CheckpointError) {
        guard recipe.seed == nil else { return }
        let stored = try StoredTensors(directory: recipe.initial).tensors
        let problems = ParameterLayout(config).parameters.compactMap { parameter -> String? in
            guard let tensor = stored[parameter.name] else { return "missing: \(parameter.name) \(parameter.shape)" }
            guard tensor.shape != parameter.shape || !StoredTensor.floatTypes.contains(tensor.type) else { return nil }
            return
                "\(parameter.name): \(tensor.type.rawValue) \(tensor.shape), expected F32, BF16 or F16 \(parameter.shape)"
        }
        guard problems.isEmpty else { throw .mismatch(directory: recipe.initial.path, problems: problems) }
    }
}
