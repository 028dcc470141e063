/// Why a tool beside the server cannot do what it was asked.
public enum ToolError: Error, Sendable, CustomStringConvertible {
    /// An argument names nothing that exists.
    case argument(String)
    /// A checkpoint that cannot be converted.
    case checkpoint(String)

    public var description: String {
        switch self {
        case .argument(let reason), .checkpoint(let reason): reason
        }
    }
}
