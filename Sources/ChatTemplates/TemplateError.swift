/// An error that occurs when a chat template is compiled or rendered.
public enum TemplateError: Error, Hashable, Sendable {
    /// The source is not a valid template.
    case syntax(message: String, line: Int)
    /// The template called `raise_exception`, because it rejects the messages.
    case raised(message: String)
    /// Another error while rendering: an undefined value was used, a type did not match, or a limit was exceeded.
    case failed(message: String, line: Int, kind: Kind = .other)

    /// The kind of an error in rendering.
    public enum Kind: Sendable {
        /// An undefined value was used.
        case undefined
        /// A value of the wrong type was used.
        case type
        /// No filter or test has this name.
        case unknownName
        /// The sandbox does not allow the access.
        case unsafe
        case other
    }
}

extension TemplateError: CustomStringConvertible {
    /// A message for the client. For `raised`, it is the template's own message.
    public var description: String {
        switch self {
        case .syntax(let message, let line): "chat template, line \(line): \(message)"
        case .raised(let message): message
        case .failed(let message, let line, _): "chat template, line \(line): \(message)"
        }
    }
}

/// A failure inside the interpreter, which adds the line number.
enum TemplateFailure: Error {
    case raised(String)
    case failed(String, TemplateError.Kind = .other)

    /// The failure when ``Cancellation`` is requested.
    static var cancelled: TemplateFailure { .failed("the request was cancelled") }
}
