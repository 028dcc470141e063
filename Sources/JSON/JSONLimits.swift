/// Limits of one JSON text.
public struct JSONLimits: Sendable, Hashable {
    /// The greatest number of values: each scalar, array and object counts as one.
    public var values: Int
    /// The deepest nesting of arrays and objects; bounds the stack.
    public var depth: Int
    /// Whether an object with the same member name twice is an error. Otherwise the last value wins, as with most parsers.
    public var refusesRepeatedNames: Bool

    public init(
        values: Int = .max, depth: Int = JSONValue.maximumDepth, refusesRepeatedNames: Bool = false
    ) {
        self.values = values
        self.depth = depth
        self.refusesRepeatedNames = refusesRepeatedNames
    }
}
