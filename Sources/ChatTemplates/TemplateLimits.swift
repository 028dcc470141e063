import JSON

/// Limits for a template, because the template of a checkpoint or a request may be malicious.
enum TemplateLimits {
    /// Nodes evaluated, plus elements processed by filters and comparisons, in one rendering.
    static let steps = 4_000_000
    /// Bytes in one string, and therefore in the output.
    static let stringBytes = 16 << 20
    /// Runs of trusted and untrusted text in one string.
    static let stringRuns = 1 << 17
    /// Returns the maximum total size in bytes of the strings created in one rendering, including freed ones: 64 MiB plus 16
    /// times the input, but at most 512 MiB. The input counts several times, because a template passes a text through several
    /// expressions, filters and macros.
    ///
    /// - Parameter input: the total size of the strings in the variables, in bytes.
    static func totalStringBytes(input: Int) -> Int { min((64 << 20) + 16 * input, 512 << 20) }
    /// Nested macro calls.
    static let macroDepth = 200
    /// Nested statements and expressions during evaluation, including macro bodies. This limits the stack: in a debug build, each
    /// level takes up to 9 KB of a thread's 8 MB.
    static let evaluationDepth = 500
    /// Nested brackets and blocks in the source.
    static let parserDepth = 60
    /// Tokens in one tag. This limits the depth of the expression tree, which chains such as `a + a + ...` increase without
    /// brackets.
    static let tokensInTag = 4_000
    /// Nested lists. This is more than `JSONValue` allows.
    static let valueDepth = 200
    static let rangeCount = 100_000
}

extension JSONValue {
    /// The total size in bytes of the strings in the value, including member names.
    var stringBytes: Int {
        switch self {
        case .string(let text): text.utf8.count
        case .array(let elements): elements.reduce(0) { $0 + $1.stringBytes }
        case .object(let members): members.reduce(0) { $0 + $1.name.utf8.count + $1.value.stringBytes }
        default: 0
        }
    }
}
