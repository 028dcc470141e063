/// Why a tool cannot do what was requested.
public enum ToolError: Error, Sendable, CustomStringConvertible {
    /// An invalid argument.
    case argument(String)
    /// A checkpoint that cannot be used.
    case checkpoint(String)

    public var description: String {
        switch self {
        case .argument(let reason), .checkpoint(let reason): reason
        }
    }
}
