/// A bound of a grammar that was exceeded. The outcome depends on the grammar and the text so far, never on what else runs;
/// only ``memory(bytes:)`` also depends on what other requests with the same grammar hold.
public enum GrammarLimit: Error, Sendable, Hashable, CustomStringConvertible {
    /// The text can be read in more ways at the same time, each a stack of its own.
    case parallelParses(Int)
    /// One byte takes more steps to read.
    case stepsPerByte(Int)
    /// Rules are nested deeper.
    case depth(Int)
    /// Which tokens may follow takes more steps to find out.
    case stepsPerMask(Int)
    /// What the running requests keep of the grammar takes more memory.
    case memory(bytes: Int)

    /// What was exceeded and the bound, to stand behind the name of a parameter.
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
