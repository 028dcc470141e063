/// Why a chat template could not be compiled or rendered.
public enum TemplateError: Error, Hashable, Sendable {
    /// The source is not a template.
    case syntax(message: String, line: Int)
    /// The template called `raise_exception`: it refuses these messages.
    case raised(message: String)
    /// Anything else that went wrong while rendering: an undefined value was used, a type did not fit, a limit was hit.
    case failed(message: String, line: Int)
}

extension TemplateError: CustomStringConvertible {
    /// A sentence that a client can be shown; for `raised` the template's own words.
    public var description: String {
        switch self {
        case .syntax(let message, let line): "chat template, line \(line): \(message)"
        case .raised(let message): message
        case .failed(let message, let line): "chat template, line \(line): \(message)"
        }
    }
}

/// A failure inside the interpreter, which knows the line.
enum TemplateFailure: Error {
    case raised(String)
    case failed(String)
}
