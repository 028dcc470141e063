import Basics

/// Why the weights of a model cannot be used.
public enum CheckpointError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A file is missing or cannot be read.
    case unreadable(file: String, reason: String)
    /// A file or folder cannot be written, or would be overwritten.
    case unwritable(file: String, reason: String)
    /// A file is not valid safetensors; `tensor` is the invalid entry, if known.
    case malformed(file: String, tensor: String?, reason: String)
    /// A GGUF file is malformed or uses an unsupported feature; `tensor` is the affected entry, if known.
    case unusable(file: String, tensor: String?, reason: String)
    /// All differences between the tensors and the configuration, one per line.
    case mismatch(directory: String, problems: [String])
    /// An element of a tensor is NaN or infinite; `index` is the first such element, in row-major order.
    case notFinite(tensor: String, value: String, shape: [Int], index: Int)
    /// Weights cannot be quantized because they already are.
    case alreadyQuantized(file: String)
    /// A scale of a quantized matrix is NaN, infinite, or so large that weights would become infinite.
    case notFiniteScale(tensor: String)

    /// The maximum number of problems in the message; with a wrong configuration, every tensor is a problem.
    static let printedProblems = 50

    /// The most characters of a reason: it can contain texts of a file.
    private static let longestReason = 1000
    /// The most characters of a path: an index can name files.
    private static let longestPath = 4096

    /// One line, except for a mismatch. What comes from a file is printable.
    public var description: String {
        func path(_ file: String) -> String { file.printable(atMost: Self.longestPath) }
        func text(_ tensor: String?, _ reason: String) -> String {
            (tensor.map { "tensor \($0.printable()): " } ?? "") + reason.printable(atMost: Self.longestReason)
        }
        switch self {
        case .unreadable(let file, let reason): return "cannot read \(path(file)): \(text(nil, reason))"
        case .unwritable(let file, let reason): return "cannot write \(path(file)): \(text(nil, reason))"
        case .malformed(let file, let tensor, let reason):
            return "\(path(file)) is not valid safetensors: \(text(tensor, reason))"
        case .unusable(let file, let tensor, let reason): return "cannot use \(path(file)): \(text(tensor, reason))"
        case .mismatch(let directory, let problems):
            let rest = problems.count - Self.printedProblems
            var lines = problems.prefix(Self.printedProblems).map { "  " + text(nil, $0) }
            if rest > 0 { lines.append("  and \(rest) more") }
            let configuration = directory.lowercased().hasSuffix(".gguf") ? "metadata" : "config.json"
            return "the weights in \(path(directory)) do not match its \(configuration):\n"
                + lines.joined(separator: "\n")
        case .alreadyQuantized(let file):
            return "the weights in \(file) are quantized already; quantize a BF16, F16, F32 or FP8 checkpoint"
        case .notFiniteScale(let tensor): return "a scale that is not finite (\(tensor))"
        case .notFinite(let tensor, let value, let shape, let index):
            let (row, column) = index.quotientAndRemainder(dividingBy: shape.last ?? 1)
            let place = shape.count == 2 ? "row \(row), column \(column)" : "index \(index)"
            return "tensor \(tensor) is not finite: \(value) at \(place)"
        }
    }
}
