/// The limits of one JSON text.
public struct JSONLimits: Sendable, Hashable {
    /// The maximum number of values. Each scalar, array and object counts as one.
    public var values: Int
    /// The maximum nesting depth of arrays and objects, which bounds the stack.
    public var depth: Int
    /// Whether a repeated member name in an object is an error. Otherwise the last value counts, as with most parsers.
    public var refusesRepeatedNames: Bool

    public init(
        values: Int = .max, depth: Int = JSONValue.maximumDepth, refusesRepeatedNames: Bool = false
    ) {
        self.values = values
        self.depth = depth
        self.refusesRepeatedNames = refusesRepeatedNames
    }
}
