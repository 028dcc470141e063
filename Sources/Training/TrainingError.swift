/// Why a run cannot start or go on.
public enum TrainingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A member of the recipe, with its full name, that is missing or outside its bound.
    case recipe(field: String, reason: String)
    /// A tensor of a file of batches or of tokens that does not fit the model or the recipe.
    case tensor(file: String, name: String, reason: String)
    /// A line of a file of documents, from 1.
    case line(file: String, number: Int, reason: String)
    /// A file of documents, or one with which they are tokenized.
    case file(String, reason: String)
    /// A model that the trainer cannot train.
    case unsupported(String)
    /// A checkpoint from which this run cannot be resumed.
    case resume(field: String, reason: String)
    /// Weights, gradients, the optimizers' state and the largest micro-batch do not fit into the available memory; in bytes.
    case memory(needed: Int, available: Int)
    /// The activations of a micro-batch, or of held-out documents, do not fit into the available memory; in bytes.
    case activations(of: String, tokens: Int, needed: Double, available: Double)
    /// The last steps had a loss or a gradient that is not finite.
    case notFinite(step: Int)

    public var description: String {
        switch self {
        case .recipe(let field, let reason): "the recipe's \(field) \(reason)"
        case .tensor(let file, let name, let reason): "\(file): the tensor \(name) \(reason)"
        case .line(let file, let number, let reason): "\(file), line \(number): \(reason)"
        case .file(let file, let reason): "\(file): \(reason)"
        case .unsupported(let reason): reason
        case .resume(let field, let reason): "cannot resume: \(field) \(reason)"
        case .memory(let needed, let available):
            """
            weights, gradients, the optimizers' state and the largest micro-batch take \(needed >> 20) MiB; \
            \(available >> 20) MiB of memory are available
            """
        case .activations(let name, let tokens, let needed, let available):
            """
            \(name) has \(tokens) tokens, which take \(Int(needed / 0x1p20)) MiB; \(Int(available / 0x1p20)) MiB are \
            available
            """
        case .notFinite(let step):
            """
            loss or gradient is not finite in the last steps, up to step \(step); the checkpoints before them are in the \
            output folder
            """
        }
    }
}
