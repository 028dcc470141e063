/// Why a chat template could not be compiled or rendered.
public enum TemplateError: Error, Hashable, Sendable {
    /// The source is not a template.
    case syntax(message: String, line: Int)
    /// The template called `raise_exception`: it refuses these messages.
    case raised(message: String)
    /// Any other error while rendering: an undefined value was used, a type did not match, or a limit was exceeded.
    case failed(message: String, line: Int, kind: Kind = .other)

    /// What kind of error made a rendering fail, if it is distinguished.
    public enum Kind: Sendable {
        /// An undefined value was used.
        case undefined
        /// A value of the wrong type was used.
        case type
        /// There is no filter or test of that name.
        case unknownName
        /// The sandbox forbids it.
        case unsafe
        case other
    }
}

extension TemplateError: CustomStringConvertible {
    /// A sentence for the client; for `raised` the template's own message.
    public var description: String {
        switch self {
        case .syntax(let message, let line): "chat template, line \(line): \(message)"
        case .raised(let message): message
        case .failed(let message, let line, _): "chat template, line \(line): \(message)"
        }
    }
}

/// A failure inside the interpreter, which adds the line.
enum TemplateFailure: Error {
    case raised(String)
    case failed(String, TemplateError.Kind = .other)

    /// ``Cancellation`` is requested.
    static var cancelled: TemplateFailure { .failed("the request was cancelled") }
}
