import JSON

/// Bounds on what a template may use: a checkpoint or a request may bring a hostile one.
enum TemplateLimits {
    /// Nodes evaluated, plus elements touched by filters and comparisons, in one rendering.
    static let steps = 4_000_000
    /// Bytes of one string, and so of the output.
    static let stringBytes = 16 << 20
    /// Runs of trusted and untrusted text in one string.
    static let stringRuns = 1 << 17
    /// Bytes of all strings made in one rendering, also of those that are gone: 64 MiB and 16 times the input, since a
    /// template passes a text through several expressions, filters and macros; 512 MiB at most.
    ///
    /// - Parameter input: bytes of all strings in the variables.
    static func totalStringBytes(input: Int) -> Int { min((64 << 20) + 16 * input, 512 << 20) }
    /// Macro calls inside one another.
    static let macroDepth = 200
    /// Statements and expressions under evaluation inside one another, macro bodies included. Bounds the stack: in a
    /// debug build each takes up to 9 KB of the 8 MB that a thread has.
    static let evaluationDepth = 500
    /// Brackets and blocks inside one another in the source.
    static let parserDepth = 60
    /// Tokens of one tag; bounds the depth of its tree, which chains such as `a + a + ...` deepen without brackets.
    static let tokensInTag = 4_000
    /// Lists inside one another; above what `JSONValue` reads.
    static let valueDepth = 200
    static let rangeCount = 100_000
}

extension JSONValue {
    /// Bytes of all strings in the value, names of members included.
    var stringBytes: Int {
        switch self {
        case .string(let text): text.utf8.count
        case .array(let elements): elements.reduce(0) { $0 + $1.stringBytes }
        case .object(let members): members.reduce(0) { $0 + $1.name.utf8.count + $1.value.stringBytes }
        default: 0
        }
    }
}
