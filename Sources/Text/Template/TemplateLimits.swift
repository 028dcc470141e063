/// Bounds on what a template may use: a checkpoint or a request may bring a hostile one.
enum TemplateLimits {
    /// Nodes evaluated, plus elements touched by filters and comparisons, in one rendering.
    static let steps = 4_000_000
    /// Bytes of one string, and so of the output.
    static let stringBytes = 16 << 20
    /// Runs of trusted and untrusted text in one string.
    static let stringRuns = 1 << 17
    /// Bytes of all strings made in one rendering.
    static let totalStringBytes = 512 << 20
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
