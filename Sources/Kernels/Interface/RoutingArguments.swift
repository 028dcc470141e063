/// The router logits of some tokens, and the way in which their experts are chosen.
///
/// A score is sigmoid(logit), or the softmax over the experts. The `chosen` experts with the largest score + bias are selected,
/// with the lower index first among equals. With `groups` > 1, only experts in the `keptGroups` best groups of consecutive experts
/// are considered. The value of a group is the sum of its two largest score + bias, or the only one if it has one expert. A weight
/// is the score without the bias, divided by the sum of the weights (plus 1e-20) if `normalizes`, times `scale`.
public struct RoutingArguments {
    /// (tokens, experts). They are overwritten with the scores.
    public let logits: UnsafeMutablePointer<Float>
    /// (experts)
    public let bias: UnsafePointer<Float>
    /// Scratch memory, (experts)
    public let keys: UnsafeMutablePointer<Float>
    public let tokens: Int
    public let experts: Int
    /// The number of experts of a token.
    public let chosen: Int
    public let groups: Int
    public let keptGroups: Int
    public let usesSoftmax: Bool
    public let normalizes: Bool
    public let scale: Float
    /// (tokens, chosen), in ascending order in each row.
    public let ids: UnsafeMutablePointer<Int32>
    /// (tokens, chosen), in the order of `ids`.
    public let weights: UnsafeMutablePointer<Float>

    public init(
        logits: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>, keys: UnsafeMutablePointer<Float>, tokens: Int,
        experts: Int, chosen: Int, groups: Int, keptGroups: Int, usesSoftmax: Bool, normalizes: Bool, scale: Float,
        ids: UnsafeMutablePointer<Int32>, weights: UnsafeMutablePointer<Float>
    ) {
        self.logits = logits
        self.bias = bias
        self.keys = keys
        self.tokens = tokens
        self.experts = experts
        self.chosen = chosen
        self.groups = groups
        self.keptGroups = keptGroups
        self.usesSoftmax = usesSoftmax
        self.normalizes = normalizes
        self.scale = scale
        self.ids = ids
        self.weights = weights
    }
}

/// The results of experts to add. out is the sum of weight * expert row over a token's experts in order, then + shared.
public struct CombineArguments {
    /// The results of (token, expert) pairs, (pairs, width)
    public let rows: UnsafePointer<Float>
    /// The pair of each choice, (tokens, chosen)
    public let slots: UnsafePointer<Int32>
    /// (tokens, chosen)
    public let weights: UnsafePointer<Float>
    /// (tokens, width), or `nil` without a shared expert.
    public let shared: UnsafePointer<Float>?
    /// (tokens, width)
    public let out: UnsafeMutablePointer<Float>
    public let tokens: Int
    public let chosen: Int
    public let width: Int

    public init(
        rows: UnsafePointer<Float>, slots: UnsafePointer<Int32>, weights: UnsafePointer<Float>,
        shared: UnsafePointer<Float>?, out: UnsafeMutablePointer<Float>, tokens: Int, chosen: Int, width: Int
    ) {
        self.rows = rows
        self.slots = slots
        self.weights = weights
        self.shared = shared
        self.out = out
        self.tokens = tokens
        self.chosen = chosen
        self.width = width
    }
}
