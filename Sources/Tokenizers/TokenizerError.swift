/// An error that makes a tokenizer unusable.
public enum TokenizerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file cannot be read, or is not JSON.
    case unreadable(path: String, reason: String)
    /// A member is missing or has the wrong kind of value.
    case malformed(member: String, expected: String)
    /// An unsupported component or option: `name` is the value of `member`.
    case unsupported(member: String, name: String)
    /// A member exceeds a limit. `value` and `limit` are numbers of `unit`, such as entries.
    case tooLarge(member: String, value: Int, unit: String, limit: Int)
    /// The parts of the file contradict each other.
    case inconsistent(String)

    /// - Parameter reason: what is wrong, and where.
    static func notJSON(_ reason: String) -> TokenizerError {
        .unreadable(path: "tokenizer.json", reason: reason)
    }

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read the tokenizer \(path): \(reason)"
        default: "tokenizer.json: \(reason)"
        }
    }

    /// The description without the file name.
    public var reason: String {
        switch self {
        case .unreadable(_, let reason): reason
        case .malformed(let member, let expected): "\(member) should be \(expected)"
        case .unsupported(let member, let name): "\(member) \(name) is not supported"
        case .tooLarge(let member, let value, let unit, let limit):
            "\(member) has \(value) \(unit), more than the limit of \(limit)"
        case .inconsistent(let what): what
        }
    }
}
