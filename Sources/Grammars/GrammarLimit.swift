/// A bound of a grammar that was exceeded. It depends only on the grammar and the text so far, not on other requests; only
/// ``memory(bytes:)`` also depends on the memory that other requests with the same grammar use.
public enum GrammarLimit: Error, Sendable, Hashable, CustomStringConvertible {
    /// The number of ways in which the text can be read at the same time, each with its own stack.
    case parallelParses(Int)
    /// The number of steps to read one byte.
    case stepsPerByte(Int)
    /// The nesting depth of rules.
    case depth(Int)
    /// The number of steps to compute a mask.
    case stepsPerMask(Int)
    /// The memory that the running requests use for the grammar.
    case memory(bytes: Int)

    /// The exceeded bound, as a predicate after the name of a parameter.
    public var description: String {
        switch self {
        case .parallelParses(let most): "uses more than \(most) parallel parses"
        case .stepsPerByte(let most): "takes more than \(most) steps to read one byte"
        case .depth(let most): "nests rules more than \(most) levels deep"
        case .stepsPerMask(let most): "takes more than \(most) steps to find the tokens that may follow"
        case .memory(let most): "needs more than \(most) bytes of memory for the states of its running requests"
        }
    }
}
