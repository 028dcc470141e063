/// An error that prevents a run from starting or continuing.
public enum TrainingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A member of the recipe is missing or out of bounds. `field` is its full name, or empty for the whole recipe.
    case recipe(field: String, reason: String)
    /// A tensor in a file of batches or tokens does not fit the model or the recipe.
    case tensor(file: String, name: String, reason: String)
    /// A line of a file of documents cannot be used. `number` starts at 1.
    case line(file: String, number: Int, reason: String)
    /// A file of documents, or a file needed to tokenize them, cannot be used.
    case file(String, reason: String)
    /// The trainer does not support the model.
    case unsupported(String)
    /// The run cannot be resumed from a checkpoint.
    case resume(field: String, reason: String)
    /// Weights, gradients, optimizer state and the largest micro-batch do not fit the available memory. Sizes are in bytes.
    case memory(needed: Int, available: Int)
    /// The activations of a micro-batch, or of held-out documents, do not fit the available memory. Sizes are in bytes.
    case activations(of: String, tokens: Int, needed: Double, available: Double)
    /// No step of a stage had a target. `field` is the stage's data in the recipe.
    case noTargets(field: String, steps: Int, files: [String])
    /// The loss or gradient was not finite in the last steps.
    case notFinite(step: Int)

    public var description: String {
        switch self {
        case .recipe("", let reason): "the recipe \(reason)"
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
        case .noTargets(let field, let steps, let files):
            """
            the recipe's \(field) has no target in all \(steps) steps of the stage: no token that was read from \
            \(files.joined(separator: ", ")) has a loss weight
            """
        case .notFinite(let step):
            """
            loss or gradient is not finite in the last steps, up to step \(step); the checkpoints before them are in the \
            output folder
            """
        }
    }
}
