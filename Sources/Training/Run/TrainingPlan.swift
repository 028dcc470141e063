import Checkpoints
import Foundation

/// What a recipe asks for, checked without computing or writing anything.
public struct TrainingPlan {
    public let recipe: Recipe
    public let config: ModelConfig
    /// All steps of the run.
    public let steps: Int
    let source: BatchSource

    /// Reads the configuration, and the headers of the data.
    ///
    /// - Throws: an error that names the file, tensor or field.
    public init(_ recipe: Recipe) throws {
        self.recipe = recipe
        config = try ModelConfig(directory: recipe.initial)
        source = try BatchSource(recipe.data, vocabularySize: config.vocabularySize)
        guard let steps = recipe.hyperparameters.steps ?? source.steps, steps <= source.steps ?? steps else {
            throw TrainingError.recipe(
                field: "hyperparameters.steps", reason: "is more than the \(source.steps ?? 0) of the batches")
        }
        self.steps = steps
    }

    /// Trained parameters.
    public var parameters: Int { ParameterLayout(config).parameters.reduce(0) { $0 + $1.count } }

    /// Bytes of weights, gradients and the optimizers' state; activations are not counted.
    public var stateBytes: Int {
        // Two moments are allocated for matrices too.
        4 * MemoryLayout<Float>.size * ParameterLayout(config).count
    }
}
