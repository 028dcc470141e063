import JSON

/// Limits for a template: a checkpoint or a request may contain a malicious one.
enum TemplateLimits {
    /// Nodes evaluated, plus elements touched by filters and comparisons, in one rendering.
    static let steps = 4_000_000
    /// Bytes of one string, and so of the output.
    static let stringBytes = 16 << 20
    /// Runs of trusted and untrusted text in one string.
    static let stringRuns = 1 << 17
    /// Bytes of all strings created in one rendering, including freed ones: 64 MiB plus 16 times the input, since a template
    /// passes a text through several expressions, filters and macros; at most 512 MiB.
    ///
    /// - Parameter input: bytes of all strings in the variables.
    static func totalStringBytes(input: Int) -> Int { min((64 << 20) + 16 * input, 512 << 20) }
    /// Nested macro calls.
    static let macroDepth = 200
    /// Nested statements and expressions during evaluation, including macro bodies. Bounds the stack: in a debug build each
    /// takes up to 9 KB of a thread's 8 MB.
    static let evaluationDepth = 500
    /// Nested brackets and blocks in the source.
    static let parserDepth = 60
    /// Tokens of one tag. Bounds the depth of its tree, which chains such as `a + a + ...` increase without brackets.
    static let tokensInTag = 4_000
    /// Nested lists; more than `JSONValue` allows.
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
