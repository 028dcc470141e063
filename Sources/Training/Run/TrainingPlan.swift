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

        /// Positions of a step; `nil` if batches determine them.
        public var positions: Int? {
            if case .documents(_, let options) = data { options.positions } else { nil }
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
            guard case .documents(let sources, _) = stage.data else { continue }
            for source in sources {
                for index in 0..<min(source.count, Self.tokenizedFirst) { _ = try source.document(index) }
            }
        }
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
    public var parameters: Int { ParameterLayout(config).parameters.reduce(0) { $0 + $1.count } }

    /// Bytes of weights, gradients and the optimizers' state, and of the rounded weights; activations are not counted.
    public func stateBytes(_ precision: Precision) -> Int {
        // Two moments are allocated for matrices too; weights are packed twice.
        let floats = 4 * MemoryLayout<Float>.size * ParameterLayout(config).count
        return precision == .exact ? floats : floats + 4 * parameters
    }

    /// - Throws: `TrainingError.memory` if they are more than the available memory.
    func checkMemory(_ precision: Precision, available: Int = MemoryPlan.freeMemory()) throws(TrainingError) {
        let needed = stateBytes(precision)
        guard needed <= available else { throw .memory(needed: needed, available: available) }
    }
}
