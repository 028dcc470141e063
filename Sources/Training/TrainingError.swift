/// Why a run cannot start or go on.
public enum TrainingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A member of the recipe, with its full name, that is missing or outside its bound.
    case recipe(field: String, reason: String)
    /// A file of batches that does not fit the model or the recipe.
    case batches(tensor: String, reason: String)
    /// A line of a file of documents, from 1.
    case line(file: String, number: Int, reason: String)
    /// A file of documents, or one with which they are tokenized.
    case file(String, reason: String)
    /// A model that the trainer cannot train.
    case unsupported(String)
    /// A checkpoint from which this run cannot be resumed.
    case resume(field: String, reason: String)
    /// Weights, gradients and the optimizers' state do not fit into the available memory.
    case memory(needed: Int, available: Int)
    /// Several steps in a row had a loss or a gradient that is not finite.
    case notFinite(step: Int)

    public var description: String {
        switch self {
        case .recipe(let field, let reason): "the recipe's \(field) \(reason)"
        case .batches(let tensor, let reason): "the batches' \(tensor) \(reason)"
        case .line(let file, let number, let reason): "\(file), line \(number): \(reason)"
        case .file(let file, let reason): "\(file): \(reason)"
        case .unsupported(let reason): reason
        case .resume(let field, let reason): "cannot resume: \(field) \(reason)"
        case .memory(let needed, let available):
            """
            weights, gradients and the optimizers' state take \(needed >> 20) MiB; \(available >> 20) MiB of memory are available
            """
        case .notFinite(let step):
            "loss or gradient is not finite in three steps in a row, the last of them step \(step)"
        }
    }
}
